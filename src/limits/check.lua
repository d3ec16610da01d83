-- KEYS[1] a counter; ARGV: the offset of the time in ms, the cost in µs, the burst.
-- Answers {1, requests that may follow at once} and has counted, or {0, µs to wait} and has not.
local now_us, emission_us = gcra_now(tonumber(ARGV[1])), tonumber(ARGV[2])
local allowed, tat, rest = gcra(KEYS[1], now_us, emission_us, tonumber(ARGV[3]))
if allowed then
  gcra_write(KEYS[1], now_us, emission_us, tat)
  return {1, rest}
end
return {0, rest}
