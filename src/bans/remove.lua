-- Ends a ban.
-- KEYS    bans, bans@until, bans@version
-- ARGV    now (ms), the subject, the new version
-- Returns 1; 0 when there is none that is in force.
local till = redis.call('ZSCORE', KEYS[2], ARGV[2])
if redis.call('HDEL', KEYS[1], ARGV[2]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('SET', KEYS[3], ARGV[3])
return till and tonumber(till) > tonumber(ARGV[1]) and 1 or 0
