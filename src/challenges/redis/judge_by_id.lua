-- Judges a code by the challenge of an id: expiry, digest, attempts, wrong codes across challenges and consumption in one step.
-- The wrong codes of all candidates of an address, whatever they are for, are kept in the slot that keeps their cooldown.
--
-- KEYS  1 slot  2 the slot that keeps the wrong codes  3.. records of attached counters
-- ARGV  1 packed: clock offset ms (8), max attempts (1), most wrong codes as lock_wait has it (12), purpose (1), challenge id (16),
--         code digest (16)
--       2 the counters' rules, as gcra_all has them
-- gives what judge.lua gives
local offset, max_attempts, most, purpose, wanted, digest = read('>i8Bc12Bc16c16', ARGV[1])
local now_us = gcra_now(offset)
local now = floor(now_us / 1000)
local stored = call('MGET', unpack(KEYS))
local slot, failing = slot_of(stored[1]), slot_of(stored[2])
local flags, attempts = read('>BB', slot, 2)
attempts = attempts % KEPT
local id, code, issued, ttl = challenge_of(slot)

local first, rules, rules_at = 2, ARGV[2], 1
--spend
local function answer(letter, number, rest) return pack('>c1I6', letter, number) .. attached .. (rest or '') end
if refused then return answer('m', 0) end

if id ~= wanted or purpose_of(slot) ~= purpose or not is_open(flags) or issued + ttl <= now then
  return answer('e', 0)
end
local locked = lock_wait(failing, WITH_ID, now, most)
if locked > 0 then return answer('l', locked) end
if attempts >= max_attempts then return answer('x', 0) end
if code == digest then
  call('SET', KEYS[1], with_flags(slot, flags + USED), 'KEEPTTL')
  return answer('r', 1, slot)
end

keep_failure(KEYS[2], with_failure(failing, WITH_ID, now, most, 0))
keep(KEYS[1], with_attempt(slot), now, most)
attempts = attempts + 1
local charged = ''
if has(flags, MESSAGE) then charged = id .. string.char(attempts) end
if attempts < max_attempts then return answer('w', max_attempts - attempts, charged) end
return answer('x', 0, charged)
