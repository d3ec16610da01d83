-- KEYS[1] a counter; ARGV: the offset of the time in ms, the cost in µs, the burst (not needed here).
gcra_give_back(KEYS[1], gcra_now(tonumber(ARGV[1])), tonumber(ARGV[2]))
return 0
