-- Gives back what a message has spent whose code was typed.
--
-- KEYS 1 the memory of the address  2.. the records of the counters; ARGV  1 the offset of the time in ms  2 their rules, as
--      gcra_refund_all has them  3 1 if a proof of work let the message go out
gcra_refund_all(0, ARGV[2], gcra_now(tonumber(ARGV[1])), ARGV[3] == '1')
return 0
