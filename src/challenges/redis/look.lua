-- Reads slots; what they say is for the reader to see.
--
-- KEYS  the slots   ARGV  1 clock offset ms
-- gives {now ms, their records}
return {floor(gcra_now(tonumber(ARGV[1])) / 1000), call('MGET', unpack(KEYS))}
