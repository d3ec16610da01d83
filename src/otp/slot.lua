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
