-- Remembers a pause, or ends one, and forgets those that are over: all in one step.
-- KEYS[1] the hash with the pauses; ARGV: the name, until when it is to last in ms (0 ends it), the time in ms, pauses at most, and
-- until when one has to last that is left as it is. Answers until when it lasted: 0 where it didn't, -1 where there is no room.
local call, now, found, others = redis.call, tonumber(ARGV[3]), 0, 0
local kept = call('HGETALL', KEYS[1])
for at = 1, #kept, 2 do
  local ends = tonumber(kept[at + 1])
  if ends <= now then
    call('HDEL', KEYS[1], kept[at])
  elseif kept[at] == ARGV[1] then
    found = ends
  else
    others = others + 1
  end
end
if ARGV[2] == '0' then
  call('HDEL', KEYS[1], ARGV[1])
elseif found == 0 and others >= tonumber(ARGV[4]) then
  return -1
elseif found < tonumber(ARGV[5]) then
  call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return found
