-- Judges a code: expiry, digest, attempts, failures across codes and consumption in one step.
--
-- Every slot with an open challenge judges it: a right code uses up the challenge that it belongs to, a wrong one costs
-- each of them an attempt. So a user may type the code that came last, whichever way it was asked for.
--
-- KEYS  1..n the slots  n+1.. attached counters; then what a right code gives back, as gcra_refund_all has it
-- ARGV  1 packed: clock offset ms (8), n (1), max attempts (1), max failures (4), failure window ms (4), code digest (16),
--         the id of the only challenge that may judge (16) if one is given
--       2 the counters' rules, as gcra_all has them  3 what a right code gives back, as gcra_refund_all has it, if anything
-- gives packed: a letter for the verdict (1), its number (6), verdicts of the counters as gcra_all has them; then the record
--        that a right code used up (its number is the slot's), or the id (16) and the spent attempts (1) of each challenge
--        that was charged and has a message
local offset, n, max_attempts, max_failures, window, digest, at = read('>i8BBI4I4c16', ARGV[1])
local wanted = string.sub(ARGV[1], at)
local now_us = gcra_now(offset)
local now = floor(now_us / 1000)
local slots = call('MGET', unpack(KEYS, 1, n))
for index = 1, n do slots[index] = slot_of(slots[index]) end

local refused, attached = gcra_all(n + 1, ARGV[2], now_us)
if refused then return pack('>c1I6', 'm', 0) .. attached end

local open, exhausted, longest_lock = {}, false, 0
for index, slot in ipairs(slots) do
  local flags, attempts, failures, last = read('>BBI2I6', slot, 2)
  local locked = lock_wait(failures, last, now, max_failures, window)
  longest_lock = max(longest_lock, locked)
  if is_open(flags) and locked == 0 then
    local id, code, issued, ttl = challenge_of(slot)
    if issued + ttl > now and (wanted == '' or wanted == id) then
      if attempts >= max_attempts then
        exhausted = true
      elseif code == digest then
        call('SET', KEYS[index], with_flags(slot, flags + USED), 'KEEPTTL')
        if has(flags, MESSAGE) then gcra_refund_all(n + 1 + #ARGV[2] / RULE, ARGV[3], now_us) end
        return pack('>c1I6', 'r', index) .. attached .. slot
      else
        if last + window <= now then failures = 0 end
        open[#open + 1] = { index, flags, attempts + 1, min(failures + 1, 0xFFFF), id }
      end
    end
  end
end

local remaining, charged = 0, ''
for _, judged in ipairs(open) do
  local index, flags, attempts, failures, id = unpack(judged)
  local head = pack('>BBBI2I6', 1, flags, attempts, failures, now)
  keep(KEYS[index], head .. string.sub(slots[index], 12), now, window)
  remaining = max(remaining, max_attempts - attempts)
  if has(flags, MESSAGE) then charged = charged .. id .. string.char(attempts) end
end
if remaining > 0 then return pack('>c1I6', 'w', remaining) .. attached .. charged end
if #open > 0 or exhausted then return pack('>c1I6', 'x', 0) .. attached .. charged end
if longest_lock > 0 then return pack('>c1I6', 'l', longest_lock) .. attached end
return pack('>c1I6', 'e', 0) .. attached
