-- Ends one session of a player, or all, and tells every server.
-- KEYS[1] sessions:<player_id>, [2] sessions@revoked
-- ARGV[1] player_id, [2] the digest, or `*` for all, [3] what stands before `session:<digest>`
-- Returns how many sessions there were to end.
local digests = { ARGV[2] }
if ARGV[2] == '*' then digests = redis.call('ZRANGE', KEYS[1], 0, -1) end
local ended = 0
for _, digest in ipairs(digests) do
  ended = ended + redis.call('DEL', ARGV[3] .. 'session:' .. digest)
  redis.call('ZREM', KEYS[1], digest)
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'player_id', ARGV[1], 'digest', ARGV[2])
return ended
