-- KEYS[1] the record of a counter; ARGV: the offset of the time in ms, the cost of a unit in µs, the burst, the units of a request,
-- by how much the burst may grow, by how much it is larger with a proof of work, the rule's tag. Spends nothing.
-- Answers {units that may be spent at once, µs until the request may come, µs until it is full again, µs that the ceiling is raised by}.
local now_us, emission_us = gcra_now(tonumber(ARGV[1])), tonumber(ARGV[2])
local _, _, tat, cost, growth, ends, raised = gcra_find(call('GET', KEYS[1]) or BLANK, (read('<I4', ARGV[7])))
local burst = tonumber(ARGV[3]) + gcra_growth(growth, ends, tonumber(ARGV[5]), now_us)
local full_at = now_us + emission_us * burst
local raised_us = tat > now_us and emission_us * raised or 0
local most = full_at + emission_us * tonumber(ARGV[6]) + raised_us
tat = min(gcra_tat(tat, cost, now_us, emission_us), most)
local room = full_at - tat
return {max(0, floor(room / emission_us)), max(0, emission_us * tonumber(ARGV[4]) - room), tat - now_us, raised_us}
