-- Counters alone, without work of their own.
--
-- KEYS the counters; ARGV  1 the offset of the time in ms  2.. a triple for each, as gcra_all has them
-- gives {for each 1 and the requests that may follow at once, or 0 and the µs to wait}
local _, verdicts = gcra_all(1, 2, gcra_now(tonumber(ARGV[1])))
return verdicts
