-- What the scripts on slots share; limits/gcra.lua stands before it. A slot is one string, as record.rs has it. Only here
-- stands what is where in it:
--   1 format  2 flags  3 attempts  4 failures  6 last failure  12 end of the cooldown, or where that is kept
--   then, if there is a challenge: 19 id  35 digest  51 issued  57 ttl  60 status  61 purpose  62 provider to avoid
--   and what the scripts pass on unread
local HEAD, STATUS_AT, PURPOSE_AT, AVOID_AT = 18, 60, 61, 62
-- Flags.
local CHALLENGE, USED, MESSAGE, ELSEWHERE, USERS = 1, 2, 4, 8, 16
-- Statuses of a message: queued, sent, delivered; what is above did not arrive.
local QUEUED, DELIVERED = 0, 2

-- A record that was read; a blank one where there is none.
local function slot_of(stored)
  if not stored then return '\1' .. string.rep('\0', HEAD - 1) end
  if string.byte(stored) ~= 1 then error('a slot of another format') end
  return stored
end

-- The challenge of a record: id, digest, when it was issued, how long its code lives, status. Nothing if there is none.
local function challenge_of(slot)
  if #slot > HEAD then return read('>c16c16I6I3B', slot, HEAD + 1) end
end

-- The provider that the challenge of a record names as the one to avoid.
local function avoided(slot)
  return string.sub(slot, AVOID_AT + 1, AVOID_AT + string.byte(slot, AVOID_AT))
end

-- When the cooldown ends that a record keeps.
local function cooldown_of(slot)
  return (read('>I6', slot, 12))
end

-- A record with the end of a cooldown in place of the one it had.
local function with_cooldown(slot, ends)
  return string.sub(slot, 1, 11) .. pack('>I6B', ends, 0) .. string.sub(slot, HEAD + 1)
end

-- A record with other flags.
local function with_flags(slot, flags)
  return pack('BB', 1, flags) .. string.sub(slot, 3)
end

-- A record with other failures.
local function with_failures(slot, failures, last)
  return string.sub(slot, 1, 3) .. pack('>I2I6', failures, last) .. string.sub(slot, 12)
end

-- Whether a flag is set; quicker than the bit library.
local function has(flags, flag)
  return flags % (2 * flag) >= flag
end

-- Whether it has a challenge that is not used.
local function is_open(flags)
  return flags % 4 == CHALLENGE
end

-- How long (ms) it stays locked for its failures, 0 if it is not.
local function lock_wait(failures, last, now, max_failures, window)
  if failures < max_failures then return 0 end
  return max(0, last + window - now)
end

-- Writes a record for as long as anything in it matters.
local function keep(key, slot, now, window)
  local flags, _, failures, last, ends = read('>BBI2I6I6', slot, 2)
  if has(flags, ELSEWHERE) then ends = 0 end
  if failures > 0 then ends = max(ends, last + window) end
  if #slot > HEAD then
    local _, _, issued, ttl = challenge_of(slot)
    ends = max(ends, issued + ttl)
  end
  if ends > now then call('SET', key, slot, 'PX', ends - now) else call('DEL', key) end
end
