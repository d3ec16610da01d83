-- How long ago a code of an address was typed, as gcra_last_typed has it; where the counters lie elsewhere.
--
-- KEYS 1 the memory of the address; ARGV  1 the offset of the time in ms
return gcra_last_typed(KEYS[1], gcra_now(tonumber(ARGV[1])))
