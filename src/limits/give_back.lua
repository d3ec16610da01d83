-- KEYS[1] the record of a counter; ARGV: the offset of the time in ms, the cost of a unit in µs, the burst (not needed here), the
-- units of a request, by how much the burst may grow, by how much it is larger with a proof of work (not needed here), the
-- rule's tag.
gcra_give_back(KEYS[1], (read('<I4', ARGV[7])), gcra_now(tonumber(ARGV[1])), tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5]))
return 0
