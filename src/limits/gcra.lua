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
-- enforced; how many costs are spent (3), 1 if a message alone spends it (1), by how much its burst may grow (4), and by how
-- much it would be larger if the request had brought a proof of work (4).
local RULE, RULE_FORM = 26, '>I6I4c4I3BI4I4'

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
    local emission_us, burst, tag, units, by_message, grows, worked, next_at = read(RULE_FORM, rules, at)
    if grows > 0 then
      growths[index], ends[index] = gcra_growth(stored[index], grows, now_us)
      burst = burst + growths[index]
    end
    local full_at = now_us + emission_us * burst
    local most = full_at + emission_us * worked
    local tat = min(gcra_tat(stored[index], now_us, emission_us), most) + emission_us * units
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
-- As gcra.rs has them.
local WORKED_EARNS, WORKED_LEAVES = 4, 128

-- How long ago a code of the address was typed whose memory is `key`: 0 in the last day, 1 in the last week, 2 before.
-- Remembers it anew, unless it is 0.
local function gcra_last_typed(key, now_us)
  local stored, said = call('GET', key), 2
  if stored then
    local last = read('<d', stored)
    if last + DAY_US > now_us then return 0 end
    if last + WEEK_US > now_us then said = 1 end
  end
  call('SET', key, pack('<d', now_us), 'PX', WEEK_US / 1000)
  return said
end

-- Gives back to a counter what a message has spent whose code was typed, by the rule at `at` of `rules`. One that grows gets
-- one more for an address that is new, and what its bucket has no room for makes that larger, for a week and in a day by no
-- more than it was. Over its burst, where proofs of work alone pass, it gets no more than room for the next of these; a message
-- that was `worked` for gives back what such messages owe, and hardly more. As gcra.rs has it. Gives where the next rule is.
local function gcra_refund(key, rules, at, now_us, is_new, worked)
  local emission_us, burst, _, _, _, grows, worked_by, next_at = read(RULE_FORM, rules, at)
  local stored = call('GET', key)
  local spent = gcra_tat(stored, now_us, emission_us)
  local growth, ends = gcra_growth(stored, grows, now_us)
  local full_at, tat = now_us + (burst + growth) * emission_us, spent - emission_us
  local earns, over = grows > 0 and is_new, spent - full_at
  if worked and worked_by > 0 and over > -emission_us then
    if earns then
      tat = spent - emission_us * min(math.ceil(max(over, 0) / emission_us), WORKED_EARNS)
      if tat <= full_at then tat = tat - min(emission_us, floor(emission_us * burst / WORKED_LEAVES)) end
    else tat = spent - max(0, min(over, emission_us)) end
  elseif earns then
    if over > 0 then tat = max(tat - emission_us, min(tat, full_at)) else tat = tat - emission_us end
  end
  if earns then
    local overflow, allowed = floor(max(0, now_us - tat) / emission_us), 1
    if growth > 0 then allowed = floor((burst + growth) * (now_us - ends + WEEK_US) / DAY_US) end
    local earned = max(0, min(overflow, allowed, grows - growth))
    if earned > 0 or growth == grows then growth, ends = growth + earned, now_us + WEEK_US end
  end
  gcra_lower(key, now_us, emission_us, tat, growth, ends)
  return next_at
end

-- The same for all counters KEYS[first_key + 1..], once a day for the address whose memory is KEYS[first_key]. Before the
-- rules stands 1 if a new address has them grow.
local function gcra_refund_all(first_key, rules, now_us, worked)
  if #rules == 0 then return end
  local typed = gcra_last_typed(KEYS[first_key], now_us)
  if typed == 0 then return end
  local at, key, is_new = 2, first_key, typed == 2 and string.byte(rules) == 1
  while at < #rules do
    key = key + 1
    at = gcra_refund(KEYS[key], rules, at, now_us, is_new, worked)
  end
end
