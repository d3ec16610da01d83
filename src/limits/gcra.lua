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

-- What a counter has earned by codes that were typed: by how much its burst is larger, `grows` at most, and until when. It
-- stands behind the two doubles, in two more.
local function gcra_growth(stored, grows, now_us)
  if grows == 0 or not stored or #stored == 16 then return 0, 0 end
  local by, ends = read('<dd', stored, 17)
  if ends <= now_us then return 0, 0 end
  return min(by, grows), ends
end

-- Writes a counter; the key goes by itself when its bucket is empty and nothing that it has earned counts any more. A number
-- that Redis makes text of itself takes it longer.
local function gcra_write(key, now_us, emission_us, tat, growth, ends)
  local counter, last = pack('<dd', tat, emission_us), tat
  if growth and growth > 0 then counter, last = counter .. pack('<dd', growth, ends), max(tat, ends) end
  call('SET', key, counter, 'PX', string.format('%d', (last - now_us + 999) / 1000))
end

-- Bytes of a rule in `rules`: its cost in microseconds (6), its burst (4), its tag (4) if it is a shadow rule, zeros if it is
-- enforced; how many costs are spent (3), 1 if a message alone spends it (1), and by how much its burst may grow (4).
local RULE = 22

-- Spends one request of each counter KEYS[first_key..], or of none of them if an enforced one refuses; where there is no
-- message, only of those that count requests. `rules` is as above.
-- Gives whether one refused; the verdicts: their number (1), and for each 1 and what is left (6), or 0 and the wait in
-- microseconds; and the tags of the shadow rules that would have refused. All packed, since numbers by themselves are slow
-- to tell and to read.
local function gcra_all(first_key, rules, now_us, message)
  local count = #rules / RULE
  if count < 1 then return false, '\0', '' end
  local stored = call('MGET', unpack(KEYS, first_key, first_key + count - 1))
  local verdicts, costs, tats, growths, ends, refused, shadowed, at = {}, {}, {}, {}, {}, false, '', 1
  for index = 1, count do
    local emission_us, burst, tag, units, by_message, grows, next_at = read('>I6I4c4I3BI4', rules, at)
    if grows > 0 then
      growths[index], ends[index] = gcra_growth(stored[index], grows, now_us)
      burst = burst + growths[index]
    end
    local full_at = now_us + emission_us * burst
    local tat = min(gcra_tat(stored[index], now_us, emission_us), full_at) + emission_us * units
    local allowed, rest = 1, floor((full_at - tat) / emission_us)
    if tat > full_at then
      allowed, rest, tat = 0, tat - full_at, false
      if tag == '\0\0\0\0' then refused = true else shadowed = shadowed .. tag end
    elseif by_message == 1 and not message then tat = false end
    verdicts[2 * index - 1], verdicts[2 * index] = allowed, rest
    costs[index], tats[index], at = emission_us, tat, next_at
  end
  if not refused then
    for index = 1, count do
      if tats[index] then
        gcra_write(KEYS[first_key + index - 1], now_us, costs[index], tats[index], growths[index], ends[index])
      end
    end
  end
  return refused, pack('>B' .. string.rep('BI6', count), count, unpack(verdicts)), shadowed
end

-- Writes a counter from which something was given back; one with nothing in it is removed.
local function gcra_lower(key, now_us, emission_us, tat, growth, ends)
  if tat > now_us or growth > 0 then gcra_write(key, now_us, emission_us, max(tat, now_us), growth, ends)
  else call('DEL', key) end
end

-- Gives so many units back.
local function gcra_give_back(key, now_us, emission_us, units, grows)
  local stored = call('GET', key)
  local tat = gcra_tat(stored, now_us, emission_us) - emission_us * units
  gcra_lower(key, now_us, emission_us, tat, gcra_growth(stored, grows, now_us))
end

local DAY_US, WEEK_US = 86400000000, 604800000000

-- Whether a typed code is the first in a day of the address whose memory is `key`; remembers it.
local function gcra_is_first(key, now_us)
  local last = call('GET', key)
  if last and read('<d', last) + DAY_US > now_us then return false end
  call('SET', key, pack('<d', now_us), 'PX', DAY_US / 1000)
  return true
end

-- Gives back to a counter what a message has spent whose code was typed, by the rule at `at` of `rules`. A counter that grows
-- gets one more, and what its bucket has no room for makes that larger, for a week. As gcra.rs has it. Gives where the next
-- rule is.
local function gcra_refund(key, rules, at, now_us)
  local emission_us, _, _, _, _, grows, next_at = read('>I6I4c4I3BI4', rules, at)
  local stored = call('GET', key)
  local tat = gcra_tat(stored, now_us, emission_us) - emission_us
  local growth, ends = gcra_growth(stored, grows, now_us)
  if grows > 0 then
    tat = tat - emission_us
    growth, ends = min(grows, growth + floor(max(0, now_us - tat) / emission_us)), now_us + WEEK_US
  end
  gcra_lower(key, now_us, emission_us, tat, growth, ends)
  return next_at
end

-- The same for all counters KEYS[first_key + 1..], once a day for the address whose memory is KEYS[first_key].
local function gcra_refund_all(first_key, rules, now_us)
  if #rules == 0 or not gcra_is_first(KEYS[first_key], now_us) then return end
  local at, key = 1, first_key
  while at < #rules do
    key = key + 1
    at = gcra_refund(KEYS[key], rules, at, now_us)
  end
end
