-- A worker's heartbeat: renews what it holds, and returns the workers that are dead.
-- KEYS: [1] workers  [2] unacked_index  [3] worker:<instance>  [4] running:<instance>
-- ARGV: [1] instance  [2] seconds of silence after which a worker is dead  [3] seconds after which a dead worker that was
--       not recovered is returned again  [4…] tags to refresh (only those that are still held)
-- Returns the dead instances that nobody is recovering. Returning one moves its heartbeat forward, so that one worker at
-- a time recovers it; the recoverer removes it in the end.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local text = string.format('%.6f', now)
redis.call('ZADD', KEYS[1], text, ARGV[1])
redis.call('EXPIRE', KEYS[3], 86400)
redis.call('EXPIRE', KEYS[4], 604800)
local refresh = {}
for i = 4, #ARGV do
  refresh[#refresh + 1] = text
  refresh[#refresh + 1] = ARGV[i]
  if #refresh >= 1000 then
    redis.call('ZADD', KEYS[2], 'XX', unpack(refresh))
    refresh = {}
  end
end
if #refresh > 0 then redis.call('ZADD', KEYS[2], 'XX', unpack(refresh)) end
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now - ARGV[2]), 'LIMIT', 0, 10)
for i = 1, #dead do
  redis.call('ZADD', KEYS[1], string.format('%.6f', now - ARGV[2] + ARGV[3]), dead[i])
end
return dead
