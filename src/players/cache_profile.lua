-- Caches a profile that was read from SQL; the level of the live state, which SQL follows a
-- moment later, counts when it is higher.
-- KEYS user:<player_id>, player:<player_id>   ARGV ttl_s, name, email, level, created_at, version   Returns the level
local level = math.max(tonumber(ARGV[4]), tonumber(redis.call('HGET', KEYS[2], 'level') or 0))
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'email', ARGV[3], 'level', string.format('%d', level), 'created_at', ARGV[5],
           'version', ARGV[6])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return level
