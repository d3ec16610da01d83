-- Counters alone, without work of their own.
--
-- KEYS their records; ARGV  1 the offset of the time in ms  2 their rules, as gcra.lua has them
-- gives their verdicts, as spend.lua has them
local stored, first, rules, rules_at, now_us = call('MGET', unpack(KEYS)), 0, ARGV[2], 1, gcra_now(tonumber(ARGV[1]))
--spend
return attached
