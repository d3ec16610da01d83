-- Gives back to one counter what a message has spent whose code was typed.
--
-- KEYS 1 the counter; ARGV  1 the offset of the time in ms  2 its rule, as gcra_all has it  3 1 if it grows by it  4 1 if a
--      proof of work let the message go out
gcra_refund(KEYS[1], ARGV[2], 1, gcra_now(tonumber(ARGV[1])), ARGV[3] == '1', ARGV[4] == '1')
return 0
