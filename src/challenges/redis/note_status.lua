-- Notes how far a challenge's message has come, unless it has come further already: a status that is final stays. One that
-- did not arrive has the slot's next message avoid the provider.
--
-- KEYS  1 slot   ARGV  1 packed: clock offset ms (8), status (1), challenge id (16)  2 provider
-- gives 1 if this was news
local offset, status, wanted = read('>i8Bc16', ARGV[1])
local slot = slot_of(call('GET', KEYS[1]))
local id, _, issued, ttl, known = challenge_of(slot)
if id ~= wanted or not has(string.byte(slot, 2), MESSAGE) then return 0 end
if known >= DELIVERED or status <= known or issued + ttl <= floor(gcra_now(offset) / 1000) then return 0 end
local provider, head = avoided(slot), head_of(slot)
local rest = string.sub(slot, head + AVOID + 1 + #provider)
if status > DELIVERED then provider = ARGV[2] end
local status_and_purpose = string.char(status) .. string.sub(slot, head + STATUS + 1, head + AVOID - 1)
slot = string.sub(slot, 1, head + STATUS - 1) .. status_and_purpose .. string.char(#provider) .. provider .. rest
call('SET', KEYS[1], slot, 'KEEPTTL')
return 1
