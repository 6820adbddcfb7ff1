-- Deletes a board with all its seasons and its settings. Comes after board.lua.
-- KEYS: 10 leaderboards:resets, 11 @seasons, 12 leaderboards:names
-- ARGV: 1 board
-- Returns 1, or 0 when there was none.
local removed = 0
for _, season in ipairs(redis.call('HKEYS', KEYS[11])) do
  for _, suffix in ipairs({'', '@order', '@entries', '@moved', '@subscores', '@distinct', '@metadata', '@config'}) do
    removed = removed + redis.call('UNLINK', board .. '@' .. season .. suffix)
  end
end
redis.call('ZREM', KEYS[10], ARGV[1])
redis.call('ZREM', KEYS[12], ARGV[1])
removed = removed + redis.call('UNLINK', KEYS[11], unpack(KEYS, 1, 8))
redis.call('UNLINK', seq)
return removed > 0 and 1 or 0
