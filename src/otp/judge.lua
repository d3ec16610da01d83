-- Judges a code: expiry, digest, attempts, failures across codes and consumption in one step.
--
-- KEYS  1..n the slots in the order of preference  n+1.. counters of the riders
-- ARGV  1 clock offset ms  2 code digest  3 challenge id, '' for any  4 max attempts  5 max failures
--       6 failure window ms  7 n  8.. a triple for each rider: emission us, burst, its tag if it is a shadow rule,
--       '' if it is enforced
-- gives {verdict, number, {verdicts of the riders}, {index of the slot, challenge id, subject, shadow rules}}
local nothing = {0, '', '', ''}
local now_us = gcra_now(tonumber(ARGV[1]))
local now = math.floor(now_us / 1000)
local max_attempts, max_failures, window = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local slots = tonumber(ARGV[7])

local refused, riders = ride(slots + 1, 8, now_us)
if refused then return {'limited', 0, riders, nothing} end

local longest_lock = 0
for index = 1, slots do
  local slot = KEYS[index]
  local id, digest, expires, attempts, used, subject, shadowed =
    unpack(redis.call('HMGET', slot, 'i', 'd', 'e', 'a', 'u', 's', 'r'))
  local live = id and used == '0' and tonumber(expires) > now and (ARGV[3] == '' or ARGV[3] == id)
  local locked = lock_wait(slot, now, max_failures, window)
  if live and locked == 0 then
    attempts = tonumber(attempts)
    if attempts >= max_attempts then return {'exceeded', 0, riders, nothing} end
    if digest == ARGV[2] then
      redis.call('HSET', slot, 'u', 1)
      return {'right', 0, riders, {index, id, subject, shadowed or ''}}
    end
    attempts = redis.call('HINCRBY', slot, 'a', 1)
    fail(slot, now, window, tonumber(expires))
    if attempts >= max_attempts then return {'exceeded', 0, riders, nothing} end
    return {'wrong', max_attempts - attempts, riders, nothing}
  end
  longest_lock = math.max(longest_lock, locked)
end
if longest_lock > 0 then return {'locked', longest_lock, riders, nothing} end
return {'expired', 0, riders, nothing}
