-- Reads the ranks of given players. Comes after board.lua.
-- ARGV: 1 how many moved players to place first, 2… players
-- Returns {moved players left, order, {entry of @order, rank, metadata or nil} or nil a player}.
local limit = tonumber(ARGV[1])
local players = {unpack(ARGV, 2)}
local behind = place_moved(limit)
if mark_untold(players) then behind = place_moved(limit) end
local answer = {behind, settings[1] or 'desc'}
for i, player in ipairs(players) do
  local place = redis.call('HGET', entries, player)
  local found = false
  if place then
    local _, rank = rank_of(place .. player)
    found = {place .. player, rank, redis.call('HGET', metadata, player)}
  end
  answer[i + 2] = found
end
return answer
