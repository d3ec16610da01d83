-- Issues a challenge: lock, cooldown, the phone's cluster rules, challenge and outbox entry in one step.
--
-- KEYS  1 slot  2 cooldown  3 outbox  4.. counters of the riders
-- ARGV  1 clock offset ms  2 challenge id  3 code digest  4 ttl ms  5 cooldown ms  6 max failures
--       7 failure window ms  8 subject  9 outbox member without its expiry, '' for a decoy  10 lease ms
--       11 tags of the shadow rules that would refuse  12.. a triple for each rider: emission us, burst, its tag if
--       it is a shadow rule, '' if it is enforced
-- gives {outcome, number, {verdicts of the riders}}
local slot, cooldown_key, outbox = KEYS[1], KEYS[2], KEYS[3]
local now_us = gcra_now(tonumber(ARGV[1]))
local now = math.floor(now_us / 1000)
local window = tonumber(ARGV[7])

local locked = lock_wait(slot, now, tonumber(ARGV[6]), window)
if locked > 0 then return {'locked', locked, {}} end

local free_at = tonumber(redis.call('GET', cooldown_key) or '0')
if free_at > now then return {'cooldown', free_at - now, {}} end

local refused, riders, shadowed = ride(4, 12, now_us)
if refused then return {'limited', 0, riders} end

local ttl, cooldown = tonumber(ARGV[4]), tonumber(ARGV[5])
local expires = now + ttl
if cooldown > 0 then redis.call('SET', cooldown_key, now + cooldown, 'PX', cooldown) end
redis.call('HSET', slot, 'i', ARGV[2], 'd', ARGV[3], 'e', expires, 'a', 0, 'u', 0, 's', ARGV[8],
  'r', string.sub(ARGV[11] .. shadowed, 1, 64))
redis.call('PEXPIRE', slot, math.max(ttl, redis.call('HEXISTS', slot, 'f') == 1 and window or 0))
if ARGV[9] ~= '' then
  redis.call('ZADD', outbox, now + tonumber(ARGV[10]), ARGV[9] .. expires)
end
return {'written', expires, riders}
