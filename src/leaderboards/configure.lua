-- Creates a board or changes its settings. Comes after board.lua.
-- KEYS: 10 leaderboards:resets, 11 leaderboards:names
-- ARGV: 1 board, 2 order, 3 operator, 4 rank_mode, 5 reset (cron or ""), 6 next_reset (ms or ""),
--       7 seasons_kept, 8 now (ms)
-- Returns "ok", or "conflict" when there are entries whose order would change.
local reorders = (ARGV[2] ~= 'asc') ~= best_is_high or (ARGV[4] == 'dense') ~= dense
if reorders and (redis.call('EXISTS', board, order, moved) > 0) then return 'conflict' end
redis.call('HSET', config, 'order', ARGV[2], 'operator', ARGV[3], 'rank_mode', ARGV[4],
           'reset', ARGV[5], 'seasons_kept', ARGV[7])
redis.call('ZADD', KEYS[11], 0, ARGV[1])
redis.call('HSETNX', config, 'season', 1)
redis.call('HSETNX', config, 'season_started', ARGV[8])
if ARGV[6] == '' then
  redis.call('HDEL', config, 'next_reset')
  redis.call('ZREM', KEYS[10], ARGV[1])
else
  redis.call('HSET', config, 'next_reset', ARGV[6])
  redis.call('ZADD', KEYS[10], ARGV[6], ARGV[1])
end
return 'ok'
