-- Levels have been written to SQL: forgets the players whose level has not risen since.
-- KEYS players:levelled   ARGV prefix, then player, level for each   Returns how many are forgotten
local forgotten = 0
for i = 2, #ARGV, 2 do
  local level = redis.pcall('HGET', ARGV[1] .. 'player:' .. ARGV[i], 'level')
  -- A player without live state has been deleted; what else stands there is no level.
  if not level or type(level) == 'table' or level == ARGV[i + 1] then forgotten = forgotten + redis.call('SREM', KEYS[1], ARGV[i]) end
end
return forgotten
