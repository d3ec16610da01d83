-- Makes a used challenge good again, unless it expired or was replaced.
--
-- KEYS  1 slot   ARGV  1 packed: clock offset ms (8), challenge id (16)
local offset, wanted = read('>i8c16', ARGV[1])
local slot = slot_of(call('GET', KEYS[1]))
local flags = string.byte(slot, 2)
if has(flags, USED) then
  local id, _, issued, ttl = read('>c16c16I6I3', slot, 21)
  local now = floor(gcra_now(offset) / 1000)
  if id == wanted and issued + ttl > now then
    call('SET', KEYS[1], pack('BB', 1, flags - USED) .. string.sub(slot, 3), 'KEEPTTL')
  end
end
