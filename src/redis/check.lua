-- Every command that scripts run, once: a user of Redis may lack the permission for one alone. Answers whether keys are dropped once memory is full.
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
-- Which it may drop once its memory is full, should it say so: a hosted Redis need not.
local told = redis.pcall('INFO', 'memory')
if type(told) ~= 'string' or string.find(told, '\r\nmaxmemory:0\r\n', 1, true) then return 0 end
local policy = string.match(told, '\r\nmaxmemory_policy:([%w-]+)')
return policy and policy ~= 'noeviction' and 1 or 0
