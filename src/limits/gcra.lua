-- The generic cell rate algorithm, as in gcra.rs. A counter is two doubles: when its bucket is empty, and what a request
-- cost when that was reckoned; both in microseconds, which since the epoch have 16 digits: exact in a double. This chunk
-- is put in front of scripts; it defines functions and does nothing.

-- Redis's own time, moved by offset_ms (0 but in tests).
local function gcra_now(offset_ms)
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2] + offset_ms * 1000
end

-- When the bucket of a stored counter is empty if a request costs emission_us; nil if nothing is stored.
local function gcra_tat(stored, now_us, emission_us)
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
local function gcra(stored, now_us, emission_us, burst)
  local full_at = now_us + emission_us * burst
  local tat = gcra_tat(stored, now_us, emission_us) or now_us
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
  redis.call('SET', key, struct.pack('<dd', tat, emission_us), 'PX', lives_ms)
end

-- Spends one request of each counter KEYS[first_key..], or of none of them if an enforced one refuses. `rules` has 14 bytes
-- for each: its cost in microseconds (6), its burst (4), its tag (4) if it is a shadow rule, zeros if it is enforced.
-- Gives whether one refused; 7 bytes for each: 1 and what is left (6), or 0 and the wait in microseconds; and the tags
-- of the shadow rules that would have refused. Packed, since numbers by themselves are slow to tell and to read.
local function gcra_all(first_key, rules, now_us)
  if #KEYS < first_key then
    return false, '', ''
  end
  local stored = redis.call('MGET', unpack(KEYS, first_key))
  local verdicts, spent, refused, shadowed = {}, {}, false, ''
  for index, counter in ipairs(stored) do
    local emission_us, burst, tag = struct.unpack('>I6I4c4', rules, 14 * (index - 1) + 1)
    local allowed, tat, rest = gcra(counter, now_us, emission_us, burst)
    if allowed then
      spent[#spent + 1] = { KEYS[first_key + index - 1], emission_us, tat }
    elseif tag == '\0\0\0\0' then
      refused = true
    else
      shadowed = shadowed .. tag
    end
    verdicts[index] = struct.pack('>BI6', allowed and 1 or 0, rest)
  end
  if not refused then
    for _, counter in ipairs(spent) do
      gcra_write(counter[1], now_us, counter[2], counter[3])
    end
  end
  return refused, table.concat(verdicts), shadowed
end

-- Gives one request back.
local function gcra_give_back(key, now_us, emission_us)
  local tat = gcra_tat(redis.call('GET', key), now_us, emission_us)
  if not tat then
    return
  end
  if tat - emission_us > now_us then
    gcra_write(key, now_us, emission_us, tat - emission_us)
  else
    redis.call('DEL', key)
  end
end
