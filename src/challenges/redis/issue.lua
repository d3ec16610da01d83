-- Issues a challenge: lock (`locked`), cooldown, the attached counters, challenge and outbox entry in one step. Where it is written has been
-- found by the part that stands before this: issue_place.lua, or issue_candidate.lua where there are several slots. `slot` and
-- `cooling` may be missing.
--
-- Before both stands what never changes: `ttl` and `cooldown` (ms), and `lasts`, as text how long (ms) a record with both matters.
--
-- ARGV  1 packed, behind what that part reads: how many of the bytes before the rules are tags of shadow rules that would refuse (1);
--         from `tail_at` what of the record stands behind the time of issue, and names nobody to avoid; from `rules_at` the counters'
--         rules, as gcra_all has them
-- gives packed: a letter for the outcome (1), its number (6), verdicts of the counters as gcra_all has them, the provider to
-- avoid. One text, since a list takes its reader longer.
local last_id, last_issued, last_ttl, last_status, ended_early, kept, avoid = nil, 0, 0, 0, false, '', ''
if slot then
  local head = HEAD
  if byte(slot) ~= FORMAT then
    --cold
    slot_of(slot)
    --end
  elseif byte(slot, 3) >= KEPT then head, kept = HEAD + POOLS, sub(slot, HEAD + 1, HEAD + POOLS) end
  if #slot > head then
    local _
    last_id, _, last_issued, last_ttl, last_status = read(CHALLENGE_FORM, slot, head + 1)
    -- A client of a Cluster sends a call again whose connection broke: this one was done.
    if last_id == sub(name, 1, 16) then
      --cold
      return pack('>c1I6B', written, last_issued + last_ttl, 0) .. avoided(slot)
      --end
    end
  end
end

if locked > 0 then return pack('>c1I6B', 'l', locked, 0) end

-- A user whose last message did not arrive waits no longer. For everybody else the cooldown runs on as it did.
local ends = now + cooldown
if cooling then
  local running = read('>I6', cooling, 4)
  if running > now then
    --cold
    slot_of(cooling)
    ended_early = has(flags, USERS) and last_id and last_status > DELIVERED and last_issued + cooldown == running
    --end
    if not ended_early then return pack('>c1I6B', 'c', running - now, 0) end
    ends = running
  end
end

local first, rules, letter, number = n, facts, written, now + ttl
--spend and answer
if refused then return attached end

-- What the last challenge leaves behind: whom to avoid, if its message did not arrive; or its place in the outbox.
if last_id then
  if last_status > DELIVERED then
    if message then
      --cold
      avoid = avoided(slot)
      --end
    end
  elseif message and last_status == QUEUED and byte(slot, 2) % (2 * MESSAGE) >= MESSAGE then
    call('ZREM', KEYS[#KEYS], sub(entry, 1, 7) .. sub(last_id, 1, 8))
  end
end

if n > 1 and ends > now and not ended_early then
  --cold
  keep(KEYS[n], with_cooldown(slot_of(cooling), ends), now, most)
  --end
end
local tail = sub(facts, tail_at, rules_at - 1)
if shadowed ~= '' then tail = sub(tail .. shadowed, 1, #tail - byte(facts, tail_at - 1) + 64) end
if avoid ~= '' then tail = sub(tail, 1, TAIL - 1) .. string.char(#avoid) .. avoid .. sub(tail, TAIL + 1) end
if n == 1 and kept == '' then
  local record = pack('>BBBI6Bc32I6c0', FORMAT, flags, 0, ends, 0, name, now, tail)
  -- `GET` of nothing: so Redis answers nil, where it would make a table that says OK.
  if slot then call('SET', key, record, 'PX', lasts) else call('SET', key, record, 'PX', lasts, 'GET') end
else
  --cold
  if n == 1 then cooldown_at = pack('>I6B', ends, 0) end
  local record = pack('>BBBc7c0c32I6c0', FORMAT, flags, kept == '' and 0 or KEPT, cooldown_at, kept, name, now, tail)
  if kept ~= '' then keep(key, record, now, most) else call('SET', key, record, 'PX', format('%d', ttl)) end
  --end
end
if message then call('ZADD', KEYS[#KEYS], format('%d', now + lease), entry) end
if avoid ~= '' then attached = attached .. avoid end
return attached
