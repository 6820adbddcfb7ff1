-- Sets stats of a player that exists.
-- KEYS[1] player:<id>, [2] user:<id>
-- ARGV[1] updated_at, [2] TTL of the cached profile in s, then name and value of each stat
-- Returns 1, or 0 when the player has no live state.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'updated_at', ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
