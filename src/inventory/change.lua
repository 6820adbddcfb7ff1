-- KEYS inventory:<player_id>, player:<player_id>, user:<player_id>
-- ARGV item, quantity to add, limit of different items, what no quantity reaches, TTL of the cached profile in s
-- Returns what there is now, or 'poor', 'full' or 'unknown' and changes nothing
if redis.call('EXISTS', KEYS[2]) == 0 then return 'unknown' end
local has = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
local after = has + tonumber(ARGV[2])
if after < 0 then return 'poor' end
if after >= tonumber(ARGV[4]) then return 'full' end
if has == 0 and after > 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 'full' end
if after == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%d', after))
end
redis.call('EXPIRE', KEYS[3], ARGV[5])
return after
