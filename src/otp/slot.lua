-- What the scripts on slots share; limits/gcra.lua stands before it. A slot is a hash:
--   i challenge id  d code digest  e expires (ms)  a attempts  u used  s subject  f failures  l time of the last one (ms)
--   r tags of the shadow rules that would have refused the challenge  w 1 if an SMS goes out for it
--   v provider whose SMS did not arrive

-- How long (ms) the slot stays locked for its failures, 0 if it is not.
local function lock_wait(slot, now, max_failures, window)
  local failures, last = unpack(redis.call('HMGET', slot, 'f', 'l'))
  if not failures or tonumber(failures) < max_failures then return 0 end
  return math.max(0, tonumber(last) + window - now)
end

-- How long (ms) the phone stays in its cooldown, 0 if it is not. Behind its end may stand an earlier one, when the SMS of
-- a decoy seems to fail.
local function cooldown_wait(key, now)
  local ends, fails_at = string.match(redis.call('GET', key) or '0', '^(%d+):?(%d*)$')
  if fails_at ~= '' and tonumber(fails_at) <= now then return 0 end
  return math.max(0, tonumber(ends) - now)
end

-- Counts a wrong code; a run of them ends when none came for a whole window.
local function fail(slot, now, window, expires)
  local last = tonumber(redis.call('HGET', slot, 'l') or '0')
  local failures = tonumber(redis.call('HGET', slot, 'f') or '0')
  if last + window <= now then failures = 0 end
  redis.call('HSET', slot, 'f', failures + 1, 'l', now)
  redis.call('PEXPIRE', slot, math.max(window, expires - now))
end

-- Spends the riders, whose counters are KEYS[first_key..] and numbers ARGV[first_arg..], or none of them if an enforced
-- one refuses. Gives whether one did, for each rider 1 and what is left or 0 and the wait in microseconds, and the tags
-- of the shadow rules that would have refused.
local function ride(first_key, first_arg, now_us)
  local verdicts, counters, refused, shadowed = {}, {}, false, ''
  for index = 1, #KEYS - first_key + 1 do
    local key, at = KEYS[first_key + index - 1], first_arg + (index - 1) * 3
    local emission_us = tonumber(ARGV[at])
    local allowed, tat, rest = gcra(key, now_us, emission_us, tonumber(ARGV[at + 1]))
    if allowed then counters[key] = { tat, emission_us } end
    refused = refused or (not allowed and ARGV[at + 2] == '')
    if not allowed then shadowed = shadowed .. ARGV[at + 2] end
    verdicts[#verdicts + 1], verdicts[#verdicts + 2] = allowed and 1 or 0, rest
  end
  if not refused then
    for key, counter in pairs(counters) do gcra_write(key, now_us, counter[2], counter[1]) end
  end
  return refused, verdicts, shadowed
end
