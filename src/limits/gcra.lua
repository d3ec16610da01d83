-- The generic cell rate algorithm, as in gcra.rs. A counter is two doubles: when its bucket is empty, and what a request
-- cost when that was computed; both in microseconds, which since the epoch have 16 digits: exact in a double. This chunk
-- is put in front of scripts; it defines functions and does nothing.
local call, pack, read = redis.call, struct.pack, struct.unpack
local floor, max, min = math.floor, math.max, math.min

-- Redis's own time, moved by offset_ms (0 but in tests).
local function gcra_now(offset_ms)
  local time = call('TIME')
  return time[1] * 1000000 + time[2] + offset_ms * 1000
end

-- When the bucket of a stored counter is empty if a request costs emission_us; now, if it is already.
local function gcra_tat(stored, now_us, emission_us)
  if not stored then return now_us end
  local tat, cost = read('<dd', stored)
  if tat <= now_us then return now_us end
  if cost == emission_us then return tat end
  return now_us + floor((tat - now_us) * emission_us / cost + 0.5)
end

-- Writes a counter; the key goes by itself when its bucket is empty. A number that Redis makes text of itself takes it
-- longer.
local function gcra_write(key, now_us, emission_us, tat)
  call('SET', key, pack('<dd', tat, emission_us), 'PX', string.format('%d', (tat - now_us + 999) / 1000))
end

-- Spends one request of each counter KEYS[first_key..], or of none of them if an enforced one refuses. `rules` has 14 bytes
-- for each: its cost in microseconds (6), its burst (4), its tag (4) if it is a shadow rule, zeros if it is enforced.
-- Gives whether one refused; the verdicts: their number (1), and for each 1 and what is left (6), or 0 and the wait in
-- microseconds; and the tags of the shadow rules that would have refused. All packed, since numbers by themselves are slow
-- to tell and to read.
local function gcra_all(first_key, rules, now_us)
  local count = #KEYS - first_key + 1
  if count < 1 then return false, '\0', '' end
  local stored = call('MGET', unpack(KEYS, first_key))
  local verdicts, costs, tats, refused, shadowed, at = {}, {}, {}, false, '', 1
  for index = 1, count do
    local emission_us, burst, tag, next_at = read('>I6I4c4', rules, at)
    local full_at = now_us + emission_us * burst
    local tat = min(gcra_tat(stored[index], now_us, emission_us), full_at) + emission_us
    local allowed, rest = 1, floor((full_at - tat) / emission_us)
    if tat > full_at then
      allowed, rest, tat = 0, tat - full_at, false
      if tag == '\0\0\0\0' then refused = true else shadowed = shadowed .. tag end
    end
    verdicts[2 * index - 1], verdicts[2 * index] = allowed, rest
    costs[index], tats[index], at = emission_us, tat, next_at
  end
  if not refused then
    for index = 1, count do
      if tats[index] then gcra_write(KEYS[first_key + index - 1], now_us, costs[index], tats[index]) end
    end
  end
  return refused, pack('>B' .. string.rep('BI6', count), count, unpack(verdicts)), shadowed
end

-- Gives one request back.
local function gcra_give_back(key, now_us, emission_us)
  local tat = gcra_tat(call('GET', key), now_us, emission_us) - emission_us
  if tat > now_us then gcra_write(key, now_us, emission_us, tat) else call('DEL', key) end
end
