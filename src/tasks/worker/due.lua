-- Puts tasks that are due back on their lists, at the serving end.
-- KEYS: [1] eta   ARGV: [1] how many at most  [2] how many seconds early they may be put back
-- Returns {how many, time of the next as text or ''}. Members are "<list>\n<message>".
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000 + tonumber(ARGV[2])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now), 'LIMIT', 0, ARGV[1])
for i = 1, #due do
  local cut = string.find(due[i], '\n', 1, true)
  redis.call('RPUSH', string.sub(due[i], 1, cut - 1), string.sub(due[i], cut + 1))
end
if #due > 0 then redis.call('ZREM', KEYS[1], unpack(due)) end
local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {#due, next[2] or ''}
