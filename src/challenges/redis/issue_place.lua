-- Issues a challenge into the one slot that it may be written to; issue.lua does the rest.
--
-- KEYS  1 slot  n the slot that keeps the cooldown (the same where n is 1)  n+1.. records of attached counters  the last: outbox
-- ARGV  1 packed: clock offset ms (8), ttl ms (4), cooldown ms (4), lease ms (4), n (1), flags (1), purpose (1), challenge id and
--         code digest (32), most wrong codes as lock_wait has it (12), the slot's address (7), that of the slot with the cooldown (7)
--       2.. see issue.lua
local offset, ttl, cooldown, lease, n, flags, purpose, name, behind = read('>i8I4I4I4BBBc32', ARGV[1])
local time = call('TIME')
local now_us = time[1] * 1000000 + time[2] + offset * 1000
local now = (now_us - now_us % 1000) / 1000
local stored = call('MGET', unpack(KEYS, 1, #KEYS - 1))
local slot, cooling = stored[1], stored[n]
local key, written, locked, most, address, cooldown_at = KEYS[1], 'w', 0
if slot or n > 1 or flags % (2 * MESSAGE) >= MESSAGE then
  most, address, cooldown_at = read('>c12c7c7', ARGV[1], behind)
  -- Those of a user's slot are in the first pool; the second of such a slot is empty.
  if slot and byte(slot, 3) >= KEPT then
    --cold
    locked = max(lock_wait(slot, OWN, now, most), lock_wait(slot, WITH_ID, now, most))
    --end
  end
end
