-- Gives back to the counters of one record what a message has spent whose code was typed.
--
-- KEYS 1 the record; ARGV  1 the offset of the time in ms  2 their rules, as gcra_all has them  3 what it earns them, as gcra_refund has it  4 1 if a
--      proof of work let the message go out
local now_us, records, at = gcra_now(tonumber(ARGV[1])), call('MGET', KEYS[1]), 1
while at < #ARGV[2] do at = gcra_refund(records, 0, ARGV[2], at, now_us, tonumber(ARGV[3]), ARGV[4] == '1') end
return 0
