-- What the scripts on slots share; limits/gcra.lua stands before it. A slot is one string, as record.rs has it. Places of
-- what the scripts read in it, from 1:
--   1 format  2 flags  3 attempts  4 failures  6 last failure  12 end of the cooldown  18 how much earlier it may end
--   21 id  37 digest  53 issued  59 ttl  62 course  69 provider to avoid  then what they pass on unread
local HEAD = 20
local CHALLENGE, USED, SMS, USERS = 1, 2, 4, 8

-- A record that was read; a blank one where there is none.
local function slot_of(stored)
  if not stored then return '\1' .. string.rep('\0', HEAD - 1) end
  if string.byte(stored) ~= 1 then error('a slot of another format') end
  return stored
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
  if has(flags, USERS) then ends = 0 end
  if failures > 0 then ends = max(ends, last + window) end
  if #slot > HEAD then
    local issued, ttl = read('>I6I3', slot, 53)
    ends = max(ends, issued + ttl)
  end
  if ends > now then call('SET', key, slot, 'PX', ends - now) else call('DEL', key) end
end
