-- Makes a used challenge good again, unless it expired or was replaced.
--
-- KEYS  1 slot   ARGV  1 clock offset ms  2 challenge id
local now = math.floor(gcra_now(tonumber(ARGV[1])) / 1000)
local id, expires = unpack(redis.call('HMGET', KEYS[1], 'i', 'e'))
if id == ARGV[2] and tonumber(expires) > now then
  redis.call('HSET', KEYS[1], 'u', 0)
end
