-- Lets a player not speak for a while, and forgets those whose time is over.
-- KEYS[1] chatmutes:<channel>, KEYS[2] chatmute_notes:<channel>   ARGV now in ms, until in ms, player, note
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1000)
if #gone > 0 then
  redis.call('ZREM', KEYS[1], unpack(gone))
  redis.call('HDEL', KEYS[2], unpack(gone))
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
