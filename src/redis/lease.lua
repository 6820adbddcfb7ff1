-- Takes or renews a lease. Atomic, so that at most one holds it.
-- KEYS[1] the lease   ARGV[1] the caller's token   ARGV[2] its life in milliseconds
-- Returns 1 when the caller holds it now, else 0.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
