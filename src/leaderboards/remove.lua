-- Takes a player off the board. Comes after board.lua.
-- ARGV: 1 the player
-- Returns 1, or 0 when it was not there.
if redis.call('ZREM', board, ARGV[1]) == 0 then return 0 end
redis.call('HDEL', subscores, ARGV[1])
redis.call('HDEL', metadata, ARGV[1])
redis.call('HSET', moved, ARGV[1], redis.call('INCR', seq))
place_moved(100)
return 1
