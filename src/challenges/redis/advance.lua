-- Notes how far an SMS has come, unless it has come further already: what ended stays as it ended.
--
-- A failure ends the cooldown that began with this very challenge, and has the slot's next one avoid the provider.
--
-- KEYS  1 slot  2 the phone's public slot, if 1 is a user's and the SMS failed
-- ARGV  1 packed: clock offset ms (8), 's' for sent or the letter of the end (1), cooldown ms (4), challenge id (16)
--       2 provider
-- gives the course if this was news, else ''
local offset, stage, cooldown, wanted = read('>i8c1I4c16', ARGV[1])
local slot = slot_of(call('GET', KEYS[1]))
if #slot <= HEAD then return '' end
local now = floor(gcra_now(offset) / 1000)
local id, _, issued, ttl, ended, sent, ended_at = read('>c16c16I6I3c1I3I3', slot, 21)
local never = 0xFFFFFF
if id ~= wanted or issued + ttl <= now or ended ~= '-' or (stage == 's' and sent ~= never) then return '' end

local elapsed = min(max(0, now - issued), never - 1)
if stage == 's' then sent = elapsed else ended, ended_at = stage, elapsed end
local course = pack('>c1I3I3', ended, sent, ended_at)
local cooling, rest = string.sub(slot, 12, 20), string.sub(slot, 69)
if ended == 'u' or ended == 'f' then
  rest = string.char(#ARGV[2]) .. ARGV[2] .. string.sub(rest, 2 + string.byte(rest))
  local public = slot
  if KEYS[2] then public = slot_of(call('GET', KEYS[2])) end
  if read('>I6', public, 12) == issued + cooldown then
    local none = string.rep('\0', 9)
    if KEYS[2] then
      call('SET', KEYS[2], string.sub(public, 1, 11) .. none .. string.sub(public, 21), 'KEEPTTL')
    else
      cooling = none
    end
  end
end
call('SET', KEYS[1], string.sub(slot, 1, 11) .. cooling .. string.sub(slot, 21, 61) .. course .. rest, 'KEEPTTL')
return course
