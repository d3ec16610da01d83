-- Reads a status; which stage it has reached is for the reader to see.
--
-- KEYS  1 record   ARGV  1 clock offset ms
-- gives {now ms, the record or ''}
return {math.floor(gcra_now(tonumber(ARGV[1])) / 1000), redis.call('GET', KEYS[1]) or ''}
