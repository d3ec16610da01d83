-- Every command that scripts run, once: a user of Redis may lack the permission for one alone.
--
-- KEYS  1 a text  2 a set  3 a hash; ARGV  1 for how many ms the text is kept
local function call(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then error({err = answer.err .. ' (' .. (...) .. ')'}) end
end
call('TIME')
call('SET', KEYS[1], '1', 'PX', ARGV[1])
call('SETRANGE', KEYS[1], '0', '1')
call('GET', KEYS[1])
call('MGET', KEYS[1])
call('EXISTS', KEYS[1])
call('ZADD', KEYS[2], '1', 'a')
call('ZSCORE', KEYS[2], 'a')
call('ZRANGE', KEYS[2], '0', '0')
call('ZREM', KEYS[2], 'a')
call('HSET', KEYS[3], 'a', '1')
call('HGETALL', KEYS[3])
call('HDEL', KEYS[3], 'a')
call('DEL', KEYS[2], KEYS[3])
