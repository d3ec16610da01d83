-- Issues a challenge: lock (`locked`), cooldown, the attached counters, challenge and outbox entry in one step. Where it is written has been
-- found by the part that stands before this: issue_place.lua, or issue_candidate.lua where there are several slots.
--
-- ARGV  2 what of the record is passed on unread, up to the tags  3 tags of the shadow rules that would refuse
--       4 the counters' rules, as gcra_all has them
-- gives packed: a letter for the outcome (1), its number (6), verdicts of the counters as gcra_all has them, the provider to
-- avoid. One text, since a list takes its reader longer.
local message = has(flags, MESSAGE)
local last_id, _, last_issued, last_ttl, last_status = challenge_of(slot)

-- A client of a Cluster sends a call again whose connection broke: this one was done.
if last_id == id then return pack('>c1I6B', written, last_issued + last_ttl, 0) .. avoided(slot) end

if locked > 0 then return pack('>c1I6B', 'l', locked, 0) end

-- A user whose last message did not arrive waits no longer. For everybody else the cooldown runs on as it did.
local ends = cooldown_of(cooling)
local ended_early = false
if ends > now then
  ended_early = has(flags, USERS) and last_id and last_status > DELIVERED and last_issued + cooldown == ends
  if not ended_early then return pack('>c1I6B', 'c', ends - now, 0) end
end

local refused, attached, shadowed = gcra_all(n + 2, ARGV[4], now_us, message)
if refused then return pack('>c1I6', 'm', 0) .. attached end

-- What the last challenge leaves behind: whom to avoid, if its message did not arrive; or its place in the outbox.
local avoid, outbox = '', KEYS[n + 1]
if last_id then
  if last_status > DELIVERED then
    if message then avoid = avoided(slot) end
  elseif last_status == QUEUED and has(string.byte(slot, 2), MESSAGE) then
    call('ZREM', outbox, address .. string.sub(last_id, 1, 8))
  end
end

if not ended_early then ends = now + cooldown end
if n > 1 and ends > now and not ended_early then keep(KEYS[n], with_cooldown(cooling, ends), now, most) end
if n == 1 then cooldown_at = pack('>I6B', ends, 0) end
local kept = pools_of(slot)
local record = pack('>BBBc7c0c16c16I6I3BBB', 1, flags, kept == '' and 0 or KEPT, cooldown_at, kept, id, digest, now, ttl,
  QUEUED, purpose, #avoid)
keep(key, record .. avoid .. ARGV[2] .. string.sub(ARGV[3] .. shadowed, 1, 64), now, most)
if message then call('ZADD', outbox, now + lease, address .. string.sub(id, 1, 8)) end
return pack('>c1I6', written, now + ttl) .. attached .. avoid
