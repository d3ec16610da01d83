-- KEYS[1] a counter; ARGV: the offset of the time in ms, the cost in µs, the burst. Spends nothing.
-- Answers {requests that may come at once, µs until one may, µs until it is full again}.
local now_us, emission_us = gcra_now(tonumber(ARGV[1])), tonumber(ARGV[2])
local full_at = now_us + emission_us * tonumber(ARGV[3])
local tat = min(gcra_tat(call('GET', KEYS[1]), now_us, emission_us), full_at)
local room = full_at - tat
return {floor(room / emission_us), max(0, emission_us - room), tat - now_us}
