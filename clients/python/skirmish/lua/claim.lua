-- Asks for the right to load a value: one process at a time.
-- KEYS: 1 the value, 2 its load key
-- ARGV: 1 a random token, 2 the lease in ms, 3 "1" to load although there is a value
-- Returns "claimed", or why not: "busy" (somebody loads it), "none", "failed", "present".
local known = redis.call('GET', KEYS[2])
if known == 'failed' then return known end
if known == 'none' and ARGV[3] ~= '1' then return known end
if known and known ~= 'none' then return 'busy' end
if ARGV[3] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return 'present' end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 'claimed'
