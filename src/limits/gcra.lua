-- The generic cell rate algorithm, as in gcra.rs. A counter is two doubles: when its bucket is empty, and what a request
-- cost when that was reckoned; both in microseconds, which since the epoch have 16 digits: exact in a double, but only
-- '%.0f' writes them all. This chunk is put in front of scripts; it defines functions and does nothing.

-- Redis's own time, moved by offset_ms (0 but in tests).
local function gcra_now(offset_ms)
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2] + offset_ms * 1000
end

-- When the bucket is empty if a request costs emission_us; nil if there is none.
local function gcra_read(key, now_us, emission_us)
  local stored = redis.call('GET', key)
  if not stored then
    return nil
  end
  local tat, cost = struct.unpack('<dd', stored)
  if cost == emission_us or tat <= now_us then
    return tat
  end
  return now_us + math.floor((tat - now_us) * emission_us / cost + 0.5)
end

-- Decides about one request and writes nothing. Returns true, the tat to write, the requests that may follow at once;
-- or false, the tat as it is, the microseconds to wait.
local function gcra(key, now_us, emission_us, burst)
  local full_at = now_us + emission_us * burst
  local tat = gcra_read(key, now_us, emission_us) or now_us
  tat = math.max(now_us, math.min(tat, full_at))
  local room = full_at - tat
  if room < emission_us then
    return false, tat, emission_us - room
  end
  return true, tat + emission_us, math.floor((room - emission_us) / emission_us)
end

-- Writes what gcra() allowed; the key goes by itself when its bucket is empty.
local function gcra_write(key, now_us, emission_us, tat)
  local lives_ms = math.ceil((tat - now_us) / 1000)
  redis.call('SET', key, struct.pack('<dd', tat, emission_us), 'PX', string.format('%.0f', lives_ms))
end

-- Spends one request of each counter KEYS[first_key..], or of none of them if an enforced one refuses. ARGV[first_arg..]
-- has a triple for each: its cost in microseconds, its burst, and '' if it is enforced; for a shadow rule its tag.
-- Gives whether one refused; for each counter 1 and what is left, or 0 and the wait in microseconds; and the tags of
-- the shadow rules that would have refused.
local function gcra_all(first_key, first_arg, now_us)
  local verdicts, tats, refused, shadowed = {}, {}, false, ''
  for index = first_key, #KEYS do
    local at = first_arg + (index - first_key) * 3
    local allowed, tat, rest = gcra(KEYS[index], now_us, tonumber(ARGV[at]), tonumber(ARGV[at + 1]))
    if allowed then
      tats[index] = tat
    elseif ARGV[at + 2] == '' then
      refused = true
    else
      shadowed = shadowed .. ARGV[at + 2]
    end
    verdicts[#verdicts + 1], verdicts[#verdicts + 2] = allowed and 1 or 0, rest
  end
  if not refused then
    for index, tat in pairs(tats) do
      gcra_write(KEYS[index], now_us, tonumber(ARGV[first_arg + (index - first_key) * 3]), tat)
    end
  end
  return refused, verdicts, shadowed
end

-- Gives one request back.
local function gcra_give_back(key, now_us, emission_us)
  local tat = gcra_read(key, now_us, emission_us)
  if not tat then
    return
  end
  if tat - emission_us > now_us then
    gcra_write(key, now_us, emission_us, tat - emission_us)
  else
    redis.call('DEL', key)
  end
end
