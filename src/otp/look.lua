-- Reads slots; what they say is for the reader to see.
--
-- KEYS  the slots   ARGV  1 clock offset ms
-- gives {now ms, their records}
return {math.floor(gcra_now(tonumber(ARGV[1])) / 1000), redis.call('MGET', unpack(KEYS))}
