-- Forgets a counter.
--
-- KEYS[1] its record; ARGV  1 the offset of the time in ms  2 the rule's tag
local record = call('GET', KEYS[1])
if record then
  local from, to = gcra_find(record, (read('<I4', ARGV[2])))
  gcra_lower(KEYS[1], record, from, to, '', 0, gcra_now(tonumber(ARGV[1])))
end
return 0
