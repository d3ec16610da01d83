-- Extends the lease of an outbox entry, or removes the entry when its challenge is no longer the one in force.
--
-- KEYS  1 outbox  2 slot   ARGV  1 clock offset ms  2 member  3 challenge id  4 lease ms
-- gives 1 if the lease is held
local now = math.floor(gcra_now(tonumber(ARGV[1])) / 1000)
local id, expires, used = unpack(redis.call('HMGET', KEYS[2], 'i', 'e', 'u'))
if id ~= ARGV[3] or used ~= '0' or tonumber(expires) <= now then
  redis.call('ZREM', KEYS[1], ARGV[2])
  return 0
end
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[4]), ARGV[2])
return 1
