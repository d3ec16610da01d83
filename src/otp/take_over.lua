-- Leases entries whose lease ran out to the caller. Whether a challenge is still in force is asked when its turn comes
-- (renew.lua): here only what has expired is dropped.
--
-- KEYS  1 outbox   ARGV  1 clock offset ms  2 lease ms  3 limit
-- gives the members
local now = math.floor(gcra_now(tonumber(ARGV[1])) / 1000)
local overdue = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[3])
local taken = {}
for _, member in ipairs(overdue) do
  if tonumber(string.match(member, '(%d+)$')) <= now then
    redis.call('ZREM', KEYS[1], member)
  else
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), member)
    taken[#taken + 1] = member
  end
end
return taken
