-- Judges a code: expiry, digest, attempts, wrong codes across challenges and consumption in one step.
--
-- Every slot with an open challenge judges it: a right code uses up the challenge that it belongs to, a wrong one costs
-- each of them an attempt. So a user may type the code that came last, whichever way it was asked for.
--
-- KEYS  1..n slots, of which the first m judge  n+1..n+r records of attached counters; then what a right code gives back, as
--       gcra_refund_all has it
-- ARGV  1 packed: clock offset ms (8), n (1), r (1), m (1), 1 if the first is a user's and 2 if that user has not proven the address:
--         then the last slot has the claimants' wrong codes (1), max attempts (1), most wrong codes as lock_wait has it (12),
--         code digest (16), the id of the only challenge that may judge (16) if one is given
--       2 the counters' rules, as gcra_all has them  3 what a right code gives back, as gcra_refund_all has it, if anything
-- gives packed: a letter for the verdict (1), its number (6), verdicts of the counters as gcra_all has them; then the record
--        that a right code used up (its number is the slot's), or the id (16) and the spent attempts (1) of each challenge
--        that was charged and has a message
local offset, n, records, m, user, max_attempts, most, digest, at = read('>i8BBBBBc12c16', ARGV[1])
local wanted = sub(ARGV[1], at)
-- As gcra_now, without a function.
local time = call('TIME')
local now_us = time[1] * 1000000 + time[2] + offset * 1000
local now = (now_us - now_us % 1000) / 1000
local stored = call('MGET', unpack(KEYS, 1, n + records))
local slots = stored
for index = 1, n do
  local slot = stored[index] or NO_SLOT
  if byte(slot) ~= FORMAT then
    --cold
    slot_of(slot)
    --end
  end
  slots[index] = slot
end

local first, rules, rules_at = n, ARGV[2], 1
--spend
if refused then return pack('>c1I6', 'm', 0) .. attached end

-- Strangers who type codes without an id spend nothing of those who have one.
local public = WITHOUT_ID
if wanted ~= '' then public = WITH_ID end
-- Of each that is open: its place, its pool, its attempts with this one, its id, whether it has a message.
local open, exhausted, longest_lock = {}, false, 0
for index = 1, m do
  local slot, pool = slots[index], public
  if index == 1 and user > 0 then pool = OWN end
  local flags, attempts, locked, head = byte(slot, 2), byte(slot, 3), 0, HEAD
  if attempts >= KEPT then head, attempts = HEAD + POOLS, attempts - KEPT end
  if head > HEAD or index == 1 and user == 2 then
    --cold
    locked = lock_wait(slot, pool, now, most)
    -- What has locked those with an id has locked these as well.
    if pool == public then locked = max(locked, lock_wait(slot, WITH_ID, now, most)) end
    if index == 1 and user == 2 then locked = max(locked, lock_wait(slots[n], CLAIMANTS, now, most)) end
    longest_lock = max(longest_lock, locked)
    --end
  end
  if flags % 4 == CHALLENGE and locked == 0 then
    local id, code, issued, ttl = read(CHALLENGE_FORM, slot, head + 1)
    if issued + ttl > now and (wanted == '' or wanted == id) then
      local has_message = flags % (2 * MESSAGE) >= MESSAGE
      if attempts >= max_attempts then
        exhausted = true
      elseif code == digest then
        -- The byte of the flags alone, which leaves the time to live as it is.
        call('SETRANGE', KEYS[index], '1', pack('B', flags + USED))
        if has_message and ARGV[3] ~= '' then
          --cold
          gcra_refund_all(n + records, ARGV[3], now_us, byte(slot, head + PURPOSE) >= WORKED)
          --end
        end
        return pack('>c1I6', 'r', index) .. attached .. slot
      else
        local at = #open
        open[at + 1], open[at + 2], open[at + 3], open[at + 4], open[at + 5] = index, pool, attempts + 1, id, has_message
      end
    end
  end
end

local remaining, charged = 0, ''
if #open > 0 then
  --cold
  local has_claimants = false
  for at = 1, #open, 5 do
    local index, pool, attempts, id, has_message = unpack(open, at, at + 4)
    slots[index] = with_failure(slots[index], pool, now, most, 1)
    if index == 1 and user == 2 then
      slots[n], has_claimants = with_failure(slots[n], CLAIMANTS, now, most, 0), true
    end
    remaining = max(remaining, max_attempts - attempts)
    if has_message then charged = charged .. id .. string.char(attempts) end
  end
  for at = 1, #open, 5 do keep_failure(KEYS[open[at]], slots[open[at]]) end
  if has_claimants then keep_failure(KEYS[n], slots[n]) end
  --end
end
if remaining > 0 then return pack('>c1I6', 'w', remaining) .. attached .. charged end
if #open > 0 or exhausted then return pack('>c1I6', 'x', 0) .. attached .. charged end
if longest_lock > 0 then return pack('>c1I6', 'l', longest_lock) .. attached end
return pack('>c1I6', 'e', 0) .. attached
