-- The generic cell rate algorithm, as in gcra.rs. This chunk is put in front of scripts; it defines functions and does nothing.
-- redis/lua.rs leaves out those that a script has no need of, and defines where it begins what only a part is in need of that
-- begins with a line `cold`.
--
-- What one address, network, country or whatever rules count by has spent of them all is one record: until when the record
-- matters (8 bytes), and for each rule its tag (4), when its bucket is empty (8), and what a request cost when that was computed
-- (8). All but the tag are doubles, times in microseconds, which since the epoch have 16 digits: exact in a double. The tag is read as a
-- number, which is less work than a text. A cost below zero says that codes that were typed have made the bucket larger: by how much
-- its burst is (4), by how much its ceiling for proofs of work is until it is empty (4), and until when the burst is (8), stand
-- behind it.
local struct, string, math = struct, string, math
local call, pack, read, sub, byte, format = redis.call, struct.pack, struct.unpack, string.sub, string.byte, string.format
local floor, max, min = math.floor, math.max, math.min
local KEYS, ARGV = KEYS, ARGV
-- A record without counters, and from which byte on they stand.
local BLANK, FIRST = '\0\0\0\0\0\0\0\0', 9

-- Redis's own time, moved by offset_ms (0 but in tests).
local function gcra_now(offset_ms)
  local time = call('TIME')
  return time[1] * 1000000 + time[2] + offset_ms * 1000
end

-- Where the counter of a rule stands in a record, and before which byte it ends; when its bucket is empty, and the cost; by how much
-- it has grown, and until when; by how much its ceiling is raised. A counter that is empty, behind the others, if it isn't there.
local function gcra_find(record, tag)
  local from = FIRST
  while from <= #record do
    local its, tat, cost, to = read('<I4dd', record, from)
    local growth, raised, ends = 0, 0, 0
    if cost < 0 then
      cost = -cost
      growth, raised, ends, to = read('<I4I4d', record, to)
    end
    if its == tag then return from, to, tat, cost, growth, ends, raised end
    from = to
  end
  return from, from, 0, 1, 0, 0, 0
end

-- When the bucket of a counter is empty if a request costs emission_us; now, if it is already.
local function gcra_tat(tat, cost, now_us, emission_us)
  if tat <= now_us then return now_us end
  if cost == emission_us then return tat end
  return now_us + floor((tat - now_us) * emission_us / cost + 0.5)
end

-- By how much a burst is larger, `grows` at most, and until when.
local function gcra_growth(growth, ends, grows, now_us)
  if grows == 0 or ends <= now_us then return 0, 0 end
  return min(growth, grows), ends
end

-- A counter as it stands in a record.
local function gcra_counter(tag, tat, emission_us, growth, ends, raised)
  if growth > 0 or raised > 0 then return pack('<I4ddI4I4d', tag, tat, -emission_us, growth, raised, ends) end
  return pack('<I4dd', tag, tat, emission_us)
end

-- The counters of a record but those of these tags, of which anything matters, one after another.
local function gcra_others(record, tags, now_us)
  local others, from = '', FIRST
  while from <= #record do
    local tag, tat, cost, to = read('<I4dd', record, from)
    if cost < 0 then
      local _, _, ends, behind = read('<I4I4d', record, to)
      tat, to = max(tat, ends), behind
    end
    if tat > now_us and not tags[tag] then others = others .. sub(record, from, to - 1) end
    from = to
  end
  return others
end

-- Writes a record from which something was taken or given back: its counter from `from` to before `to` is `counter` now, and matters
-- until `ends`. One in which nothing matters any more is removed.
local function gcra_lower(key, record, from, to, counter, ends, now_us)
  if ends <= now_us then counter = '' end
  local last = read('<d', record)
  if max(ends, last) <= now_us or counter == '' and from == FIRST and to > #record then
    call('DEL', key)
    return false
  end
  if ends > last then
    record = pack('<d', ends) .. sub(record, FIRST, from - 1) .. counter .. sub(record, to)
    -- A number that Redis makes text of itself takes it longer.
    call('SET', key, record, 'PX', format('%d', (ends - now_us + 999) / 1000))
  else
    local is_as_long = #counter == to - from
    record = sub(record, 1, from - 1) .. counter .. sub(record, to)
    -- As spend.lua does it.
    if is_as_long then call('SETRANGE', key, '0', record) else call('SET', key, record, 'KEEPTTL') end
  end
  return record
end

-- A rule in `rules`: which of the records its counter is in, from 1, with the flags below (2 bytes); its tag (4); what a unit costs
-- (8); the room of an empty bucket beyond what the request costs (8); what it spends, 0 if it is asked alone (8); if it may grow,
-- by how much its burst may (8). WORKS says of one that is asked, and may grow, that the request brought a proof of work; of one that
-- is given back to, that these let messages out over its burst.
local RULE, SHADOW, GROWS, WORKS = '<HI4ddd', 1024, 2048, 4096
-- A record that a counter is added to is cleared of those that are empty once it is as long: rules may have gone.
local LONG = 256

-- Gives so many units back.
local function gcra_give_back(key, tag, now_us, emission_us, units, grows)
  local record = call('GET', key)
  if not record then return end
  local from, to, tat, cost, growth, ends, raised = gcra_find(record, tag)
  growth, ends = gcra_growth(growth, ends, grows, now_us)
  tat = max(now_us, gcra_tat(tat, cost, now_us, emission_us) - emission_us * units)
  if tat == now_us then raised = 0 end
  gcra_lower(key, record, from, to, gcra_counter(tag, tat, emission_us, growth, ends, raised), max(tat, ends), now_us)
end

local PAUSE_US, DAY_US, WEEK_US = 72000000000, 86400000000, 604800000000
-- As gcra.rs has them.
local WORKED_EARNS, WORKED_LEAVES, WORKED_RAISES = 4, 128, 4

-- How long ago a code of the address was typed whose memory is `key`: 0 in the last 20 hours, 1 in the last week, 2 before.
-- Remembers it anew, unless it is 0.
local function gcra_last_typed(key, now_us)
  local stored, said = call('GET', key), 2
  if stored then
    local last = read('<d', stored)
    if last + PAUSE_US > now_us then return 0 end
    if last + WEEK_US > now_us then said = 1 end
  end
  call('SET', key, pack('<d', now_us), 'PX', '604800000')
  return said
end

-- Gives back to a counter what a message has spent whose code was typed, by the rule at `at` of `rules`, whose request costs nothing
-- there; its record is one of KEYS[first + 1..], and stands as it was read, and then as it is written, in `records`. One that grows
-- gets one more if that was `earned`, and if the address is new (2) what its bucket has no room for makes that larger, for a week and
-- in a day by no more than it was. Over its burst, where proofs of work alone pass, it gets no more than room for the next of these; a message
-- that was `worked` for gives back what such messages owe, and hardly more, and raises the ceiling. As gcra.rs has it. Gives where
-- the next rule is.
local function gcra_refund(records, first, rules, at, now_us, earned, worked)
  local key, tag, emission_us, full, _, next_at = read(RULE, rules, at)
  local grows, works = 0, key > WORKS
  if works then key = key - WORKS end
  if key > GROWS then
    grows, next_at = read('<d', rules, next_at)
    key = key - GROWS
  end
  if key > SHADOW then key = key - SHADOW end
  local record, burst = records[key] or BLANK, full / emission_us
  local from, to, spent, cost, growth, ends, raised = gcra_find(record, tag)
  if grows == 0 or ends <= now_us then growth, ends = 0, 0 else growth = min(growth, grows) end
  if spent <= now_us then spent, raised = now_us, 0
  elseif cost ~= emission_us then spent = now_us + floor((spent - now_us) * emission_us / cost + 0.5) end
  local full_at, tat = now_us + (burst + growth) * emission_us, spent - emission_us
  local earns, over = grows > 0 and earned > 0, spent - full_at
  if worked and works and over > -emission_us then
    if earns then
      tat = spent - emission_us * min(math.ceil(max(over, 0) / emission_us), WORKED_EARNS)
      if tat <= full_at then tat = tat - min(emission_us, floor(emission_us * burst / WORKED_LEAVES)) end
      raised = min(raised + 1, WORKED_RAISES)
    else tat = spent - max(0, min(over, emission_us)) end
  elseif earns then
    if over > 0 then tat = max(tat - emission_us, min(tat, full_at)) else tat = tat - emission_us end
  end
  if earns and earned == 2 then
    local overflow, allowed = floor(max(0, now_us - tat) / emission_us), 1
    if growth > 0 then allowed = floor((burst + growth) * (now_us - ends + WEEK_US) / DAY_US) end
    local earned = max(0, min(overflow, allowed, grows - growth))
    if earned > 0 or growth == grows then growth, ends = growth + earned, now_us + WEEK_US end
  end
  if tat <= now_us then tat, raised = now_us, 0 end
  local counter
  if growth > 0 or raised > 0 then counter = pack('<I4ddI4I4d', tag, tat, -emission_us, growth, raised, ends)
  else counter = pack('<I4dd', tag, tat, emission_us) end
  records[key] = gcra_lower(KEYS[first + key], record, from, to, counter, max(tat, ends), now_us)
  return next_at
end

-- The same for all counters of the records KEYS[first + 2..], which are the last keys, once a day for the address whose memory is
-- KEYS[first + 1]. Before the rules stands 1 if something is earned.
local function gcra_refund_all(first, rules, now_us, worked)
  if #rules == 0 then return end
  local typed = gcra_last_typed(KEYS[first + 1], now_us)
  if typed == 0 or #rules == 1 then return end
  local at, earned, records = 2, byte(rules) == 1 and typed or 0, call('MGET', unpack(KEYS, first + 2))
  while at < #rules do at = gcra_refund(records, first + 1, rules, at, now_us, earned, worked) end
end
