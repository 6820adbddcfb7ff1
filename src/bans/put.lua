-- Adds a ban, or replaces the one of the same subject.
-- KEYS    bans, bans@until, bans@version
-- ARGV    now (ms), the subject, the ban as JSON, its end (ms), the new version, most bans
-- Returns 1; 0 when there are too many and nothing was changed.
local bans, ends = KEYS[1], KEYS[2]
local old = redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[1], 'LIMIT', 0, 100)
if #old > 0 then
  redis.call('HDEL', bans, unpack(old))
  redis.call('ZREM', ends, unpack(old))
end
if redis.call('HEXISTS', bans, ARGV[2]) == 0 and redis.call('HLEN', bans) >= tonumber(ARGV[6]) then return 0 end
redis.call('HSET', bans, ARGV[2], ARGV[3])
redis.call('ZADD', ends, ARGV[4], ARGV[2])
redis.call('SET', KEYS[3], ARGV[5])
return 1
