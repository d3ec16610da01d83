-- Issues a challenge: lock, cooldown, the riding cluster rules, challenge, status and outbox entry in one step.
--
-- KEYS  1 slot  n the phone's public slot (the same where n is 1)  n+1 outbox  n+2.. counters of the riders
-- ARGV  1 packed: clock offset ms (8), ttl ms (4), cooldown ms (4), max failures (4), failure window ms (4), lease ms (4),
--         ms after which a decoy seems to fail, 0 if it doesn't (4), n (1), flags (1), course (7), the slot's address (7),
--         the public slot's (7), challenge id (16), code digest (16)
--       2 what of the record is passed on unread, up to the tags  3 tags of the shadow rules that would refuse
--       4 the riders' rules, as gcra_all has them
-- gives packed: a letter for the outcome (1), its number (6), verdicts of the riders as gcra_all has them, the provider to
-- avoid. One text, since a list takes its reader longer.
local offset, ttl, cooldown, max_failures, window, lease, fails_after, n, flags, course, address, place_of_public, id,
  digest = read('>i8I4I4I4I4I4I4BBc7c7c7c16c16', ARGV[1])
local sms = has(flags, SMS)
local now_us = gcra_now(offset)
local now = floor(now_us / 1000)
local stored = call('MGET', unpack(KEYS, 1, n))
local slot, public = slot_of(stored[1]), slot_of(stored[n])

-- A client of a Cluster sends a call again whose connection broke: this one was done.
if #slot > HEAD and string.sub(slot, 21, 36) == id then
  local issued, life = read('>I6I3', slot, 53)
  return pack('>c1I6B', 'w', issued + life, 0) .. string.sub(slot, 70, 69 + string.byte(slot, 69))
end

local failures, last = read('>I2I6', slot, 4)
local locked = lock_wait(failures, last, now, max_failures, window)
if locked > 0 then return pack('>c1I6B', 'l', locked, 0) end

local ends, early = read('>I6I3', public, 12)
if ends > now and (early == 0 or ends - early > now) then return pack('>c1I6B', 'c', ends - now, 0) end

local refused, riders, shadowed = gcra_all(n + 2, ARGV[4], now_us)
if refused then return pack('>c1I6', 'm', 0) .. riders end

-- What the last challenge leaves behind: whom to avoid, if its SMS failed; or its place in the outbox.
local avoid, outbox = '', KEYS[n + 1]
if #slot > HEAD then
  local end_of_last, sent = read('>c1I3', slot, 62)
  if end_of_last == 'u' or end_of_last == 'f' then
    if sms then avoid = string.sub(slot, 70, 69 + string.byte(slot, 69)) end
  elseif has(string.byte(slot, 2), SMS) and end_of_last == '-' and sent == 0xFFFFFF then
    call('ZREM', outbox, address .. string.sub(slot, 21, 28))
  end
end

local cooling = string.rep('\0', 9)
if cooldown > 0 then
  cooling = pack('>I6I3', now + cooldown, fails_after > 0 and max(0, cooldown - fails_after) or 0)
  if n > 1 then keep(KEYS[n], string.sub(public, 1, 11) .. cooling .. string.sub(public, 21), now, window) end
end
local place = n > 1 and place_of_public .. '\0\0' or cooling
local head = pack('>BBBc8c9c16c16I6I3c7B', 1, flags, 0, string.sub(slot, 4, 11), place, id, digest, now, ttl,
  course, #avoid)
keep(KEYS[1], head .. avoid .. ARGV[2] .. string.sub(ARGV[3] .. shadowed, 1, 64), now, window)
if sms then call('ZADD', outbox, now + lease, address .. string.sub(id, 1, 8)) end
return pack('>c1I6', 'w', now + ttl) .. riders .. avoid
