-- Takes a player off leaderboard:active at once. Its counts stay in the slices: what they still hold of it is remembered, so
-- that sweeping them takes nothing from a later player of the same id (sweep.lua).
-- KEYS 1 leaderboard:active, 2 its @seq, 3 its @moved, 4 activity:forgotten   ARGV 1 the player
-- Returns 1, or 0 when it was not there.
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score then return 0 end
redis.call('HINCRBY', KEYS[4], ARGV[1], string.format('%.0f', score))
redis.call('ZREM', KEYS[1], ARGV[1])
local block = string.sub(string.format('%.0f', redis.call('INCRBY', KEYS[2], '100000')), 1, -6)
redis.call('HSET', KEYS[3], ARGV[1], block .. '00000')
return 1
