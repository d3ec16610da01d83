-- Spends one request of counters, or of none of them if an enforced one refuses. This is no function, since Redis makes those anew
-- for each call of a script: it is put where a script has a line `spend`. Where that is `spend and answer`, an answer begins by it: before
-- the verdicts in `attached` stand `letter` (1), which is 'm' if one refused, and `number` (6), which is 0 then.
--
-- Needs `rules`, which from `rules_at` on has the rules as gcra.lua has them; `stored`, with the records KEYS[first + 1..] at the same places as they were read; `now_us`.
-- Gives `refused`, whether one refused; `attached`, how many there are (1) and for each the room that is left, or below zero what is
-- missing (8), in microseconds; and `shadowed`, the tags of the shadow rules that would have refused. All packed, since numbers by
-- themselves are slow to tell and to read.
local refused, attached, shadowed = false, '\0', ''
if rules_at <= #rules then
  local size, at, count, keys = #rules, rules_at, 0, 0
  -- Made in their usual size. Until when a record matters that has changed; if no longer than before, 0 where it is as many bytes,
  -- 1 where not.
  local rooms, lasts = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {false, false, false, false, false, false, false, false}
  repeat
    local key, tag, emission_us, room, spent, next_at = read(RULE, rules, at)
    local grows_at, is_shadow, has_worked, raised_us
    at = next_at
    if key > SHADOW then
      if key > WORKS then key, has_worked = key - WORKS, true end
      if key > GROWS then key, grows_at, at = key - GROWS, at, at + 8 end
      if key > SHADOW then key, is_shadow = key - SHADOW, true end
    end
    if key > keys then keys = key end
    local record = stored[first + key]
    if record then
      local last, its, tat, cost, to = read('<dI4dd', record)
      local from, growth, ends, behind, raised = FIRST, 0, 0, #record
      if cost < 0 then to = to + 16 end
      -- As gcra_find, without a call.
      while its ~= tag do
        from = to
        if from > behind then
          tat, cost = 0, 1
          break
        end
        its, tat, cost, to = read('<I4dd', record, from)
        if cost < 0 then to = to + 16 end
      end
      if cost < 0 then
        cost = -cost
        growth, raised, ends = read('<I4I4d', record, to - 16)
        if not grows_at or ends <= now_us then growth, ends = 0, 0
        else growth = min(growth, (read('<d', rules, grows_at))) end
        if tat <= now_us then raised = 0 end
        if has_worked then room = room + emission_us * raised
        elseif raised > 0 then raised_us = emission_us * raised end
        if growth + raised == 0 then raised = nil end
      end
      if tat <= now_us then tat = now_us
      elseif cost ~= emission_us then tat = now_us + floor((tat - now_us) * emission_us / cost + 0.5) end
      room = room + emission_us * growth + now_us - tat
      if spent > 0 and room >= 0 then
        tat = tat + spent
        if tat > last or ends > last then
          -- A little longer than it has to, so that the next ones needn't say it again.
          last = max(tat, ends)
          last = last + (last - now_us) / 8
          lasts[key] = last
        elseif not lasts[key] then lasts[key] = 0 end
        local size_before = #record
        -- Packed at once, what stands before and behind it included: each text in between costs 1,000 instructions.
        local before, after = '', ''
        if from > behind and behind > LONG then
          --cold
          before = gcra_others(record, {}, now_us)
          --end
        else
          if from > FIRST then before = sub(record, FIRST, from - 1) end
          if to <= behind then after = sub(record, to) end
        end
        if raised then
          record = pack('<dc0I4ddI4I4dc0', last, before, tag, tat, -emission_us, growth, raised, ends, after)
        else record = pack('<dc0I4ddc0', last, before, tag, tat, emission_us, after) end
        if #record ~= size_before and lasts[key] == 0 then lasts[key] = 1 end
        stored[first + key] = record
      end
    elseif spent > 0 and room >= 0 then
      local tat = now_us + spent
      stored[first + key], lasts[key] = pack('<dI4dd', tat, tag, tat, emission_us), tat
    end
    if room < 0 then
      -- Who passes with a proof of work, since the ceiling is raised, lacks no more than who passes below it.
      if raised_us then room = min(-1, room + raised_us) end
      if is_shadow then shadowed = shadowed .. pack('<I4', tag) else refused = true end
    end
    count = count + 1
    rooms[count] = room
  until at > size
  if not refused then
    for key = 1, keys do
      local last = lasts[key]
      if last then
        local place = first + key
        -- Over what is there, which is less work than `SET`. Not where it is longer, since Redis would make room for as much again.
        if last == 0 then call('SETRANGE', KEYS[place], '0', stored[place])
        elseif last == 1 then call('SET', KEYS[place], stored[place], 'KEEPTTL')
        else call('SET', KEYS[place], stored[place], 'PX', format('%d', (last - now_us + 999) / 1000)) end
      end
    end
  end
  local form = count <= 16 and sub('<Bdddddddddddddddd', 1, 2 + count) or '<B' .. string.rep('d', count)
  attached = pack(form, count, unpack(rooms, 1, count))
end
