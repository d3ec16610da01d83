-- Forgets what keeps slots from their next code: their wrong codes, or the cooldown that they keep.
--
-- KEYS  the slots   ARGV  1 packed: clock offset ms (8), failure window ms (4), what to forget (1): 0 the cooldown, 1 the
--       wrong codes
local offset, window, forgotten = read('>i8I4B', ARGV[1])
local now = floor(gcra_now(offset) / 1000)
for index, stored in ipairs(call('MGET', unpack(KEYS))) do
  if stored then
    local slot = slot_of(stored)
    if forgotten == 1 then
      slot = string.sub(slot, 1, 3) .. pack('>I2I6', 0, 0) .. string.sub(slot, 12)
    elseif not has(string.byte(slot, 2), ELSEWHERE) then
      slot = with_cooldown(slot, 0)
    end
    keep(KEYS[index], slot, now, window)
  end
end
