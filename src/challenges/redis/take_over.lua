-- Leases entries whose lease ran out to the caller. What became of their challenges is for the caller to see.
--
-- KEYS  the sets of a partition   ARGV  1 packed: clock offset ms (8), lease ms (4), limit (4), partition (1)
-- gives '' if there are none; else packed: partition (1), now ms (6), the members
if call('EXISTS', unpack(KEYS)) == 0 then return '' end
local offset, lease, room, partition = read('>i8I4I4c1', ARGV[1])
local now = floor(gcra_now(offset) / 1000)
local taken = {}
for _, outbox in ipairs(KEYS) do
  local overdue = call('ZRANGE', outbox, '-inf', now, 'BYSCORE', 'LIMIT', 0, room - #taken)
  for _, member in ipairs(overdue) do
    call('ZADD', outbox, now + lease, member)
    taken[#taken + 1] = member
  end
  if #taken >= room then break end
end
if #taken == 0 then return '' end
return partition .. pack('>I6', now) .. table.concat(taken)
