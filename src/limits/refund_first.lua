-- Whether a typed code is the first of its address in a day; where the counters lie elsewhere.
--
-- KEYS 1 the memory of the address; ARGV  1 the offset of the time in ms
return gcra_is_first(KEYS[1], gcra_now(tonumber(ARGV[1]))) and 1 or 0
