-- Puts a dead letter back on its queue, once.
-- KEYS: [1] dead  [2] list
-- ARGV: [1] the entry as it stands in the dead letters  [2] its message
-- Returns 1 when it was there, else 0.
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
return 1
