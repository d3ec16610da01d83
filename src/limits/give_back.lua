-- KEYS[1] a counter; ARGV: the offset of the time in ms, the cost of a unit in µs, the burst (not needed here), the units of a
-- request, by how much the burst may grow.
gcra_give_back(KEYS[1], gcra_now(tonumber(ARGV[1])), tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5]))
return 0
