-- Opens a session, and ends the player's oldest ones beyond the limit.
-- KEYS[1] session:<digest>, [2] sessions:<player_id>, [3] sessions@revoked
-- ARGV[1] digest, [2] created_at in ms, [3] life of the session in ms, [4] life of the player's set in ms,
--      [5] sessions a player may have, [6] what stands before `session:<digest>`, then name and value of each field
-- Returns 1.
redis.call('HSET', KEYS[1], unpack(ARGV, 7))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if excess > 0 then
  local player = redis.call('HGET', KEYS[1], 'player_id')
  for _, digest in ipairs(redis.call('ZRANGE', KEYS[2], 0, excess - 1)) do
    redis.call('DEL', ARGV[6] .. 'session:' .. digest)
    redis.call('ZREM', KEYS[2], digest)
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'player_id', player, 'digest', digest)
  end
end
return 1
