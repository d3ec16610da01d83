-- Counters alone, without work of their own.
--
-- KEYS the counters; ARGV  1 the offset of the time in ms  2 their rules, as gcra_all has them  3 1 if a message goes out
-- gives their verdicts, likewise
local _, verdicts = gcra_all(1, ARGV[2], gcra_now(tonumber(ARGV[1])), ARGV[3] == '1')
return verdicts
