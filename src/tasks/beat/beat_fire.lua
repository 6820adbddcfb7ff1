-- Sends a periodic task's message once: only if this scheduler leads, and only if the entry has not changed meanwhile.
-- KEYS: [1] beat:leader  [2] beat:last  [3] list
-- ARGV: [1] the leader's token  [2] entry  [3] its last run as it was read ('' for none)  [4] its new last run
--       [5] message, or '' to skip this run
-- Returns 1 when it was done, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
if ARGV[5] ~= '' then redis.call('LPUSH', KEYS[3], ARGV[5]) end
return 1
