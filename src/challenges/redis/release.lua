-- Forgets what keeps slots from their next code: their wrong codes, or the cooldown that they keep.
--
-- KEYS  the slots   ARGV  1 packed: clock offset ms (8), most wrong codes as lock_wait has it (12), what to forget (1): 0 the
--       cooldown, 1 the wrong codes
local offset, most, forgotten = read('>i8c12B', ARGV[1])
local now = floor(gcra_now(offset) / 1000)
for index, stored in ipairs(call('MGET', unpack(KEYS))) do
  if stored then
    local slot = slot_of(stored)
    if forgotten == 1 then
      slot = without_failures(slot)
    elseif not has(string.byte(slot, 2), ELSEWHERE) then
      slot = with_cooldown(slot, 0)
    end
    keep(KEYS[index], slot, now, most)
  end
end
