-- What the OTP rules say of a phone; changes nothing.
--
-- KEYS  1 slot  2 cooldown   ARGV  1 clock offset ms  2 failure window ms
-- gives {cooldown ms, failures, ms until they are forgotten}
local now = math.floor(gcra_now(tonumber(ARGV[1])) / 1000)
local failures, last = unpack(redis.call('HMGET', KEYS[1], 'f', 'l'))
local forgotten_in = failures and math.max(0, tonumber(last) + tonumber(ARGV[2]) - now) or 0
return {cooldown_wait(KEYS[2], now), forgotten_in > 0 and tonumber(failures) or 0, forgotten_in}
