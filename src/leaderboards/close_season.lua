-- Ends a season: its keys are renamed, so this takes no time however long the board is. Comes after
-- board.lua.
-- KEYS: 10 leaderboards:resets, 11 @seasons
-- ARGV: 1 board, 2 the season to end (somebody else may have), 3 now (ms), 4 next_reset (ms or "")
-- Returns the number of the season that goes on now.
local known = redis.call('HMGET', config, 'season', 'season_started', 'seasons_kept')
local season = tonumber(known[1] or 1)
if season ~= tonumber(ARGV[2]) then return season end
for _, suffix in ipairs({'', '@order', '@entries', '@moved', '@subscores', '@distinct', '@metadata'}) do
  local key = board .. suffix
  if redis.call('EXISTS', key) == 1 then
    redis.call('RENAME', key, board .. '@' .. season .. suffix)
  end
end
redis.call('HSET', board .. '@' .. season .. '@config', 'order', settings[1] or 'desc',
           'rank_mode', settings[2] or 'ordinal')
redis.call('HSET', KEYS[11], season, (known[2] or '0') .. ' ' .. ARGV[3])
local expired = season - tonumber(known[3] or 100)
if expired > 0 then
  for _, suffix in ipairs({'', '@order', '@entries', '@moved', '@subscores', '@distinct', '@metadata', '@config'}) do
    redis.call('UNLINK', board .. '@' .. expired .. suffix)
  end
  redis.call('HDEL', KEYS[11], expired)
end
redis.call('INCR', seq)
redis.call('HSET', config, 'season', season + 1, 'season_started', ARGV[3])
if ARGV[4] == '' then
  redis.call('HDEL', config, 'next_reset')
  redis.call('ZREM', KEYS[10], ARGV[1])
else
  redis.call('HSET', config, 'next_reset', ARGV[4])
  redis.call('ZADD', KEYS[10], ARGV[4], ARGV[1])
end
return season + 1
