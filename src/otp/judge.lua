-- Judges a code: expiry, digest, attempts, failures across codes and consumption in one step.
--
-- Every slot with an open challenge judges it: a right code uses up the challenge that it belongs to, a wrong one costs
-- each of them an attempt. So a user may type the code that came last, whichever way it was asked for.
--
-- KEYS  1..n the slots  n+1.. counters of the riders
-- ARGV  1 clock offset ms  2 code digest  3 challenge id, '' for any  4 max attempts  5 max failures
--       6 failure window ms  7 n  8 the riders' rules, as gcra_all has them
-- gives {verdict, number, verdicts of the riders, {index of the slot, challenge id, subject, shadow rules},
--        {{challenge id, attempts spent} of each that was charged and had an SMS}}
local nothing = {0, '', '', ''}
local now_us = gcra_now(tonumber(ARGV[1]))
local now = math.floor(now_us / 1000)
local max_attempts, max_failures, window = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local slots = tonumber(ARGV[7])

local refused, riders = gcra_all(slots + 1, ARGV[8], now_us)
if refused then return {'limited', 0, riders, nothing, {}} end

local open, exhausted, longest_lock = {}, false, 0
for index = 1, slots do
  local slot = KEYS[index]
  local id, digest, expires, attempts, used, subject, shadowed, owed =
    unpack(redis.call('HMGET', slot, 'i', 'd', 'e', 'a', 'u', 's', 'r', 'w'))
  local live = id and used == '0' and tonumber(expires) > now and (ARGV[3] == '' or ARGV[3] == id)
  local locked = lock_wait(slot, now, max_failures, window)
  longest_lock = math.max(longest_lock, locked)
  if live and locked == 0 then
    if tonumber(attempts) >= max_attempts then
      exhausted = true
    elseif digest == ARGV[2] then
      redis.call('HSET', slot, 'u', 1)
      return {'right', 0, riders, {index, id, subject, shadowed or ''}, {}}
    else
      open[#open + 1] = { slot, tonumber(expires), owed and id }
    end
  end
end

local remaining, charged = 0, {}
for _, judged in ipairs(open) do
  local attempts = redis.call('HINCRBY', judged[1], 'a', 1)
  fail(judged[1], now, window, judged[2])
  remaining = math.max(remaining, max_attempts - attempts)
  if judged[3] then charged[#charged + 1] = { judged[3], attempts } end
end
if remaining > 0 then return {'wrong', remaining, riders, nothing, charged} end
if #open > 0 or exhausted then return {'exceeded', 0, riders, nothing, charged} end
if longest_lock > 0 then return {'locked', longest_lock, riders, nothing, charged} end
return {'expired', 0, riders, nothing, charged}
