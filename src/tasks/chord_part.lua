-- One member of a chord has ended.
-- KEYS: [1] .j (parts)  [2] .t (size correction)  [3] .s (size)  [4] chords   [5] celery-taskset-meta-<gid>
-- ARGV: [1] score: the member's index or +inf  [2] part  [3] TTL in seconds  [4] group id  [5] how to fire the chord:
--       JSON, kept under the group id until it has been fired
-- Returns the parts in order when the chord is complete, else nothing. Counting distinct members makes a repeat of the
-- same part harmless.
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
local count = redis.call('ZCARD', KEYS[1])
local correction = redis.call('GET', KEYS[2])
local size = redis.call('GET', KEYS[3])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
if not size or count ~= tonumber(size) + tonumber(correction or 0) then return {} end
if redis.call('HSETNX', KEYS[4], ARGV[4], ARGV[5]) == 0 then return {} end
return redis.call('ZRANGE', KEYS[1], 0, -1)
