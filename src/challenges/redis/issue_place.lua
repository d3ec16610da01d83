-- Issues a challenge into the one slot that it may be written to; issue.lua does the rest.
--
-- KEYS  1 slot  n the slot that keeps the cooldown (the same where n is 1)  n+1 outbox  n+2.. attached counters
-- ARGV  1 packed: clock offset ms (8), ttl ms (4), cooldown ms (4), most wrong codes as lock_wait has it (12), lease ms (4),
--         n (1), flags (1), purpose (1), the slot's address (7), that of the slot with the cooldown (7), challenge id (16),
--         code digest (16)
--       2.. see issue.lua
local offset, ttl, cooldown, most, lease, n, flags, purpose, address, cooldown_at, id, digest =
  read('>i8I4I4c12I4BBBc7c7c16c16', ARGV[1])
local now_us = gcra_now(offset)
local now = floor(now_us / 1000)
local stored = call('MGET', unpack(KEYS, 1, n))
local slot, cooling = slot_of(stored[1]), slot_of(stored[n])
local key, written = KEYS[1], 'w'
-- Those of a user's slot are in the first pool; the second of such a slot is empty.
local locked = max(lock_wait(slot, OWN, now, most), lock_wait(slot, WITH_ID, now, most))
