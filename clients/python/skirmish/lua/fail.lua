-- Ends a claim whose load failed; for a moment nobody else needs to try.
-- KEYS: 1 the load key
-- ARGV: 1 the token of the claim, 2 for how long, in ms
-- Returns 1, or 0 when the claim was no more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'failed', 'PX', ARGV[2])
return 1
