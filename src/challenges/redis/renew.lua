-- Extends the lease of an outbox entry, or removes the entry when its challenge is no longer the one in force.
--
-- KEYS  1 outbox  2 slot   ARGV  1 packed: clock offset ms (8), lease ms (4), challenge id (16)  2 member
-- gives 1 if the lease is held
local offset, lease, wanted = read('>i8I4c16', ARGV[1])
local now = floor(gcra_now(offset) / 1000)
local slot = slot_of(call('GET', KEYS[2]))
local id, _, issued, ttl = challenge_of(slot)
if id ~= wanted or not is_open(string.byte(slot, 2)) or issued + ttl <= now then
  call('ZREM', KEYS[1], ARGV[2])
  return 0
end
if not call('ZSCORE', KEYS[1], ARGV[2]) then return 0 end
call('ZADD', KEYS[1], 'XX', now + lease, ARGV[2])
return 1
