-- Issues a challenge into the one slot that it may be written to; issue.lua does the rest.
--
-- KEYS  1 slot  n the slot that keeps the cooldown (the same where n is 1)  n+1.. records of attached counters  the last: outbox, if
--         there is a message
-- ARGV  1 packed: clock offset ms (8), n (1), flags (1), where the rules begin (2), the slot's address (7), challenge id and code digest
--         (32), most wrong codes as lock_wait has it (12), the address of the slot with the cooldown (7), lease ms (4); then see issue.lua
local facts, tail_at = ARGV[1], 76
local offset, n, flags, rules_at, name = read('>i8BBI2xxxxxxxc32', facts)
local message = flags % (2 * MESSAGE) >= MESSAGE
local time = call('TIME')
local now_us = time[1] * 1000000 + time[2] + offset * 1000
local now = (now_us - now_us % 1000) / 1000
local stored = call('MGET', unpack(KEYS, 1, message and #KEYS - 1 or #KEYS))
local slot, cooling = stored[1], stored[n]
local key, written, locked, most, entry, cooldown_at, lease = KEYS[1], 'w', 0
-- The slot's address and half of the challenge's id.
if message then entry, lease = sub(facts, 13, 27), read('>I4', facts, 71) end
if slot or n > 1 then
  most, cooldown_at = read('>c12c7', facts, 52)
  -- Those of a user's slot are in the first pool; the second of such a slot is empty.
  if slot and byte(slot, 3) >= KEPT then
    --cold
    locked = max(lock_wait(slot, OWN, now, most), lock_wait(slot, WITH_ID, now, most))
    --end
  end
end
