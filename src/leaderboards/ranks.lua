-- Reads the ranks of given players. Comes after index.lua.
-- ARGV: 1 how many moved players to place first, 2… players
-- Returns {moved players left, order, {entry of @order, rank, metadata or nil} or nil for each player}.
local answer = {place_moved(tonumber(ARGV[1])), settings[1] or 'desc'}
for i = 2, #ARGV do
  local player = ARGV[i]
  local place = redis.call('HGET', entries, player)
  local found = false
  if place then
    local _, rank = rank_of(place .. player)
    found = {place .. player, rank, redis.call('HGET', metadata, player)}
  end
  answer[i + 1] = found
end
return answer
