-- Issues a challenge into one of the candidates, the slots of an address that stand side by side; issue.lua does the rest.
--
-- KEYS  1..n-1 the candidates  n the slot that keeps their cooldown and their wrong codes  n+1.. records of attached counters
--       the last: outbox, if there is a message
-- ARGV  1 packed: clock offset ms (8), n (1), flags (1), where the rules begin (2), most wrong codes as lock_wait has it (12), the
--         address of the slot with the cooldown (7), lease ms (4), max attempts (1); of each candidate: its slot's address (7),
--         challenge id and code digest (32); then see issue.lua
-- gives for what was written the candidate's number from 1, as a digit, in place of the letter
local facts = ARGV[1]
local offset, n, flags, rules_at, most, cooldown_at, lease, max_attempts, places = read('>i8BBI2c12c7I4B', facts)
local message = flags % (2 * MESSAGE) >= MESSAGE
local now_us = gcra_now(offset)
local now = floor(now_us / 1000)
local stored = call('MGET', unpack(KEYS, 1, message and #KEYS - 1 or #KEYS))
for index = 1, n do stored[index] = slot_of(stored[index]) end

-- The one that has this very challenge; else one whose challenge nobody can use any more; else the one issued first.
local chosen, lowest
for index = 1, n - 1 do
  local its_flags, attempts = read('>BB', stored[index], 2)
  local its_id, _, issued, its_ttl, status = challenge_of(stored[index])
  local rank = issued
  if not its_id or not is_open(its_flags) or issued + its_ttl <= now then rank = 0
  elseif attempts % KEPT >= max_attempts or status > DELIVERED then rank = 0 end
  if its_id and its_id == sub(facts, places + 39 * index - 32, places + 39 * index - 17) then rank = -1 end
  if not lowest or rank < lowest then chosen, lowest = index, rank end
end

local at = places + 39 * (chosen - 1)
-- The slot's address and half of the challenge's id.
local entry, name, tail_at = sub(facts, at, at + 14), sub(facts, at + 7, at + 38), places + 39 * (n - 1) + 1
local slot, cooling = stored[chosen], stored[n]
local locked = lock_wait(cooling, WITH_ID, now, most)
local key, written = KEYS[chosen], format('%d', chosen)
