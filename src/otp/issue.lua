-- Issues a challenge: lock, cooldown, the riding cluster rules, challenge, status and outbox entry in one step.
--
-- KEYS  1 slot  2 cooldown  3 outbox  4 status  5.. counters of the riders
-- ARGV  1 clock offset ms  2 challenge id  3 code digest  4 ttl ms  5 cooldown ms  6 max failures
--       7 failure window ms  8 subject  9 outbox member up to whom to avoid, '' for a decoy  10 lease ms
--       11 tags of the shadow rules that would refuse  12 course  13 place of the status  14 ms after which a decoy
--       seems to fail, 0 if it doesn't  15 the riders' rules, as gcra_all has them
-- gives {outcome, number, verdicts of the riders, provider to avoid}
local slot, cooldown_key, outbox = KEYS[1], KEYS[2], KEYS[3]
local now_us = gcra_now(tonumber(ARGV[1]))
local now = math.floor(now_us / 1000)
local window = tonumber(ARGV[7])

local locked = lock_wait(slot, now, tonumber(ARGV[6]), window)
if locked > 0 then return {'locked', locked, '', ''} end

local cooling = cooldown_wait(cooldown_key, now)
if cooling > 0 then return {'cooldown', cooling, '', ''} end

local refused, riders, shadowed = gcra_all(5, ARGV[15], now_us)
if refused then return {'limited', 0, riders, ''} end

local ttl, cooldown = tonumber(ARGV[4]), tonumber(ARGV[5])
local expires = now + ttl
local fails_after = tonumber(ARGV[14])
if cooldown > 0 then
  local ends = tostring(now + cooldown)
  if fails_after > 0 and fails_after < cooldown then ends = ends .. ':' .. now + fails_after end
  redis.call('SET', cooldown_key, ends, 'PX', cooldown)
end
redis.call('SET', KEYS[4], ARGV[12] .. struct.pack('>I6', now) .. ARGV[13], 'PX', ttl)
local avoid = redis.call('HGET', slot, 'v') or ''
if avoid ~= '' then redis.call('HDEL', slot, 'v') end
redis.call('HSET', slot, 'i', ARGV[2], 'd', ARGV[3], 'e', expires, 'a', 0, 'u', 0, 's', ARGV[8],
  'r', string.sub(ARGV[11] .. shadowed, 1, 64))
redis.call('PEXPIRE', slot, math.max(ttl, redis.call('HEXISTS', slot, 'f') == 1 and window or 0))
if ARGV[9] ~= '' then
  redis.call('HSET', slot, 'w', 1)
  redis.call('ZADD', outbox, now + tonumber(ARGV[10]), ARGV[9] .. avoid .. '|' .. expires)
else
  redis.call('HDEL', slot, 'w')
end
return {'written', expires, riders, avoid}
