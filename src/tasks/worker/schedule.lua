-- Moves held messages to the eta store. Each only if it is still held.
-- KEYS: [1] unacked  [2] unacked_index  [3] eta
-- ARGV: tag, time, member; …     Returns how many were moved.
local moved = 0
for i = 1, #ARGV, 3 do
  if redis.call('ZREM', KEYS[2], ARGV[i]) == 1 then
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('ZADD', KEYS[3], ARGV[i + 1], ARGV[i + 2])
    moved = moved + 1
  end
end
return moved
