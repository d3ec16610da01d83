-- Judges a code by the challenge of an id: expiry, digest, attempts, failures across codes and consumption in one step. The
-- failures of all candidates, the slots of an address that stand side by side, are kept in the first of them.
--
-- KEYS  1 slot  n the slot that keeps the failures (the same where n is 1)  n+1.. attached counters
-- ARGV  1 packed: clock offset ms (8), n (1), max attempts (1), max failures (4), failure window ms (4), purpose (1),
--         challenge id (16), code digest (16)
--       2 the counters' rules, as gcra_all has them
-- gives what judge.lua gives
local offset, n, max_attempts, max_failures, window, purpose, wanted, digest = read('>i8BBI4I4Bc16c16', ARGV[1])
local now_us = gcra_now(offset)
local now = floor(now_us / 1000)
local stored = call('MGET', unpack(KEYS, 1, n))
local slot, failing = slot_of(stored[1]), slot_of(stored[n])
local flags, attempts = read('>BB', slot, 2)
local id, code, issued, ttl = challenge_of(slot)

local refused, attached = gcra_all(n + 1, ARGV[2], now_us)
local function answer(letter, number, rest) return pack('>c1I6', letter, number) .. attached .. (rest or '') end
if refused then return answer('m', 0) end

if id ~= wanted or string.byte(slot, PURPOSE_AT) ~= purpose or not is_open(flags) or issued + ttl <= now then
  return answer('e', 0)
end
local failures, last = read('>I2I6', failing, 4)
local locked = lock_wait(failures, last, now, max_failures, window)
if locked > 0 then return answer('l', locked) end
if attempts >= max_attempts then return answer('x', 0) end
if code == digest then
  call('SET', KEYS[1], with_flags(slot, flags + USED), 'KEEPTTL')
  return answer('r', 1, slot)
end

if last + window <= now then failures = 0 end
failures, attempts = min(failures + 1, 0xFFFF), attempts + 1
slot = pack('BBB', 1, flags, attempts) .. string.sub(slot, 4)
if n == 1 then slot = with_failures(slot, failures, now)
else keep(KEYS[n], with_failures(failing, failures, now), now, window) end
keep(KEYS[1], slot, now, window)
local charged = ''
if has(flags, MESSAGE) then charged = id .. string.char(attempts) end
if attempts < max_attempts then return answer('w', max_attempts - attempts, charged) end
return answer('x', 0, charged)
