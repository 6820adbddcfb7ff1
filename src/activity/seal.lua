-- Puts a packed slice in the place of its hash.
-- KEYS 1 activity:<slice>, 2 activity:sealing:<slice>, 3 activity:open, 4 activity:sealed, 5 activity:closed
-- ARGV 1 the slice, 2 how many players were packed
-- Returns 1; 0 when it changed nothing, because the slice is not closed, is sealed already, or has other players.
local slice, players = ARGV[1], tonumber(ARGV[2])
local ends = redis.call('ZSCORE', KEYS[3], slice)
if not ends or tonumber(redis.call('GET', KEYS[5]) or 0) <= tonumber(slice) then return 0 end
if redis.call('HLEN', KEYS[1]) ~= players then return 0 end
if players > 0 then
  if redis.call('PERSIST', KEYS[2]) == 0 then return 0 end
  redis.call('UNLINK', KEYS[1])
  redis.call('RENAME', KEYS[2], KEYS[1])
  redis.call('ZADD', KEYS[4], ends, slice)
end
redis.call('ZREM', KEYS[3], slice)
return 1
