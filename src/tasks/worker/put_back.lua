-- Moves held messages back to their queues, or to the dead letters. Each only if it is still held.
-- KEYS: [1] unacked  [2] unacked_index
-- ARGV: tag, 'serve' (is served next), 'last' (is served last) or 'dead', list, message; …
-- Returns how many were moved.
local moved = 0
for i = 1, #ARGV, 4 do
  if redis.call('HDEL', KEYS[1], ARGV[i]) == 1 then
    redis.call('ZREM', KEYS[2], ARGV[i])
    if ARGV[i + 1] == 'serve' then
      redis.call('RPUSH', ARGV[i + 2], ARGV[i + 3])
    else
      redis.call('LPUSH', ARGV[i + 2], ARGV[i + 3])
      if ARGV[i + 1] == 'dead' then redis.call('LTRIM', ARGV[i + 2], 0, 9999) end
    end
    moved = moved + 1
  end
end
return moved
