-- The generic cell rate algorithm, as in gcra.rs: one counter is one number, when its bucket is empty again.
-- This chunk is put in front of scripts; it defines functions and does nothing. Microseconds since the epoch have 16
-- digits: exact in a double (2^53), but only '%.0f' writes them all.

-- Redis's own time in microseconds, moved by offset_ms (0 but in tests).
local function gcra_now(offset_ms)
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2] + offset_ms * 1000
end

-- Decides about one request and writes nothing. Returns true, the counter to write, the requests that may follow at
-- once; or false, the counter as it is, the microseconds to wait.
local function gcra(key, now_us, emission_us, burst)
  local full_at = now_us + emission_us * burst
  local tat = tonumber(redis.call('GET', key)) or now_us
  tat = math.max(now_us, math.min(tat, full_at))
  local room = full_at - tat
  if room < emission_us then
    return false, tat, emission_us - room
  end
  return true, tat + emission_us, math.floor((room - emission_us) / emission_us)
end

-- Writes what gcra() allowed; the key goes when its bucket is empty.
local function gcra_write(key, now_us, tat)
  redis.call('SET', key, string.format('%.0f', tat), 'PX', string.format('%.0f', math.ceil((tat - now_us) / 1000)))
end

-- Gives one request back.
local function gcra_give_back(key, now_us, emission_us)
  local tat = tonumber(redis.call('GET', key))
  if not tat then
    return
  end
  if tat - emission_us > now_us then
    gcra_write(key, now_us, tat - emission_us)
  else
    redis.call('DEL', key)
  end
end
