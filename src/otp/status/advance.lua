-- Notes how far an SMS has come, unless it has come further already: what ended stays as it ended.
--
-- A failure ends the cooldown that began with this very challenge, and has the slot's next one avoid the provider.
--
-- KEYS  1 record  2 cooldown  3 slot
-- ARGV  1 clock offset ms  2 's' for sent, or the letter of the end  3 ttl ms  4 cooldown ms  5 challenge id  6 provider
-- gives the record if this was news, else ''
local record = redis.call('GET', KEYS[1])
if not record then return '' end
local now = math.floor(gcra_now(tonumber(ARGV[1])) / 1000)
local ended, sent, ended_at, issued = struct.unpack('>c1I3I3I6', record)
local never, stage = 0xFFFFFF, ARGV[2]
if ended ~= '-' or (stage == 's' and sent ~= never) or issued + tonumber(ARGV[3]) <= now then return '' end

local elapsed = math.min(math.max(0, now - issued), never - 1)
if stage == 's' then sent = elapsed else ended, ended_at = stage, elapsed end
record = struct.pack('>c1I3I3', ended, sent, ended_at) .. string.sub(record, 8)
redis.call('SET', KEYS[1], record, 'KEEPTTL')
if ended == 'u' or ended == 'f' then
  local free_at = string.match(redis.call('GET', KEYS[2]) or '', '^%d+')
  if free_at and tonumber(free_at) == issued + tonumber(ARGV[4]) then redis.call('DEL', KEYS[2]) end
  if redis.call('HGET', KEYS[3], 'i') == ARGV[5] then redis.call('HSET', KEYS[3], 'v', ARGV[6]) end
end
return record
