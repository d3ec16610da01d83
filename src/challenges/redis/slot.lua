-- What the scripts on slots share; limits/gcra.lua stands before it. A slot is one string, as record.rs has it. Only here
-- stands what is where in it:
--   1 format  2 flags  3 attempts, and 128 more if wrong codes are kept here  4 end of the cooldown, or where that is kept
--   then, if they are kept here, wrong codes in three pools of 16 each: how many 1  when the last was 3  how many in the pool's
--   day 9  when that began 11
--   then, if there is a challenge, from here on: id 1  digest 17  issued 33  ttl 39  status 42  purpose 43, and 128 more if a proof of work let the message go
--   out  provider to avoid 44
--   and what the scripts pass on unread
local FORMAT, HEAD, POOL, POOLS, KEPT = 1, 10, 16, 48, 128
-- A record without anything.
local NO_SLOT = '\1\0\0\0\0\0\0\0\0\0'
-- A pool: how many, when the last was, how many in its day, when that began.
local POOL_FORM = '>I2I6I2I6'
-- A challenge: id, digest, when it was issued, how long its code lives, status.
local CHALLENGE_FORM = '>c16c16I6I3B'
local ISSUED, STATUS, PURPOSE, AVOID = 33, 42, 43, 44
-- Of what stands behind the time of issue, the byte of whom to avoid.
local TAIL = 6
-- Of the byte of the purpose.
local WORKED = 128
-- Flags.
local CHALLENGE, USED, MESSAGE, ELSEWHERE, USERS = 1, 2, 4, 8, 16
-- Statuses of a message: queued, sent, delivered; what is above did not arrive.
local QUEUED, DELIVERED = 0, 2
-- Pools: a user's own slot has one. The public slot that all others of the address share has three: codes that were typed
-- without a challenge's id, those with one, and those of users who have not proven the address.
local OWN, WITHOUT_ID, WITH_ID, CLAIMANTS = 0, 0, 1, 2
local DAY = 86400000

-- A record that was read; a blank one where there is none.
local function slot_of(stored)
  if not stored then return NO_SLOT end
  if byte(stored) ~= FORMAT then error('a slot of another format') end
  return stored
end

-- Bytes of a record before its challenge.
local function head_of(slot)
  if byte(slot, 3) < KEPT then return HEAD end
  return HEAD + POOLS
end

-- The challenge of a record: id, digest, when it was issued, how long its code lives, status. Nothing if there is none.
local function challenge_of(slot)
  local head = head_of(slot)
  if #slot > head then return read(CHALLENGE_FORM, slot, head + 1) end
end

-- The purpose of the challenge of a record, and whether a proof of work let its message go out.
local function purpose_of(slot)
  local purpose = byte(slot, head_of(slot) + PURPOSE)
  return purpose % WORKED, purpose >= WORKED
end

-- The provider that the challenge of a record names as the one to avoid.
local function avoided(slot)
  local at = head_of(slot) + AVOID
  return sub(slot, at + 1, at + byte(slot, at))
end

-- When the cooldown ends that a record keeps.
local function cooldown_of(slot)
  return (read('>I6', slot, 4))
end

-- A record with the end of a cooldown in place of the one it had.
local function with_cooldown(slot, ends)
  return sub(slot, 1, 3) .. pack('>I6B', ends, 0) .. sub(slot, HEAD + 1)
end

-- A record with other flags.
local function with_flags(slot, flags)
  return pack('BB', 1, flags) .. sub(slot, 3)
end

-- A record with one attempt more.
local function with_attempt(slot)
  return sub(slot, 1, 2) .. string.char(byte(slot, 3) + 1) .. sub(slot, 4)
end

-- Whether a flag is set; quicker than the bit library.
local function has(flags, flag)
  return flags % (2 * flag) >= flag
end

-- Whether it has a challenge that is not used.
local function is_open(flags)
  return flags % 4 == CHALLENGE
end

-- The wrong codes of a pool: how many, when the last was, how many in its day, when that began.
local function pool_of(slot, pool)
  return read(POOL_FORM, slot, HEAD + POOL * pool + 1)
end

-- How long (ms) a pool stays locked for its wrong codes, 0 if it is not; claimants by their day alone, so that one of them locks no
-- other. `most`: packed, how many may be wrong, within how many
-- ms of each other, and how many in a day.
local function lock_wait(slot, pool, now, most)
  if byte(slot, 3) < KEPT then return 0 end
  local failures, last, in_day, began = pool_of(slot, pool)
  local max_failures, window, max_in_day = read('>I4I4I4', most)
  local wait = 0
  if failures >= max_failures and pool ~= CLAIMANTS then wait = last + window - now end
  if in_day >= max_in_day then wait = max(wait, began + DAY - now) end
  return max(0, wait)
end

-- A record with one wrong code more in a pool, and so many attempts more. This and what keeps it call no other function: Redis
-- would make each anew for every wrong code.
local function with_failure(slot, pool, now, most, more)
  local attempts, from, pools = byte(slot, 3), HEAD + POOLS + 1, nil
  local failures, last, in_day, began = 0, 0, 0, now
  if attempts < KEPT then attempts, from, pools = attempts + KEPT, HEAD + 1, string.rep('\0', POOLS)
  else
    pools = sub(slot, HEAD + 1, HEAD + POOLS)
    failures, last, in_day, began = read(POOL_FORM, pools, POOL * pool + 1)
  end
  local _, window = read('>I4I4', most)
  if last + window <= now then failures = 0 end
  if began + DAY <= now then in_day, began = 0, now end
  return pack('>BBBc0c0I2I6I2I6c0c0', FORMAT, byte(slot, 2), attempts + more, sub(slot, 4, HEAD), sub(pools, 1, POOL * pool),
    min(failures + 1, 0xFFFF), now, min(in_day + 1, 0xFFFF), began, sub(pools, POOL * (pool + 1) + 1), sub(slot, from))
end

-- Writes a record with a new wrong code: nothing in it matters for longer than the day of that. `otp.failure_window` is a day at most,
-- cooldowns and codes last an hour.
local function keep_failure(key, slot) call('SET', key, slot, 'PX', '86400000') end

-- A record without wrong codes.
local function without_failures(slot)
  return sub(slot, 1, 2) .. string.char(byte(slot, 3) % KEPT) .. sub(slot, 4, HEAD)
    .. sub(slot, head_of(slot) + 1)
end

-- Writes a record for as long as anything in it matters.
local function keep(key, slot, now, most)
  local flags, attempts, ends = read('>BBI6', slot, 2)
  local head = HEAD
  if flags % (2 * ELSEWHERE) >= ELSEWHERE then ends = 0 end
  if attempts >= KEPT then
    head = HEAD + POOLS
    local _, window = read('>I4I4', most)
    for at = HEAD + 1, head, POOL do
      local failures, last, in_day, began = read(POOL_FORM, slot, at)
      if failures > 0 then ends = max(ends, last + window) end
      if in_day > 0 then ends = max(ends, began + DAY) end
    end
  end
  if #slot > head then
    local issued, ttl = read('>I6I3', slot, head + ISSUED)
    ends = max(ends, issued + ttl)
  end
  if ends > now then call('SET', key, slot, 'PX', format('%d', ends - now)) else call('DEL', key) end
end
