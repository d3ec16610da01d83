-- Makes a used challenge good again, unless it expired or was replaced.
--
-- KEYS  1 slot   ARGV  1 packed: clock offset ms (8), challenge id (16)
local offset, wanted = read('>i8c16', ARGV[1])
local slot = slot_of(call('GET', KEYS[1]))
local flags = string.byte(slot, 2)
local id, _, issued, ttl = challenge_of(slot)
if id == wanted and has(flags, USED) and issued + ttl > floor(gcra_now(offset) / 1000) then
  call('SET', KEYS[1], with_flags(slot, flags - USED), 'KEEPTTL')
end
