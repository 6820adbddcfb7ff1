-- Finds players whose entry does not say what the board says (somebody wrote to the board without
-- telling @moved) and marks them as moved. Comes after index.lua.
-- ARGV: 1 a cursor ("0" begins), 2 "board" to walk the board, "entries" to walk the entries
-- Returns the next cursor; "0" ends.
local page
if ARGV[2] == 'board' then
  page = redis.call('ZSCAN', board, ARGV[1], 'COUNT', 100)
else
  page = redis.call('HSCAN', entries, ARGV[1], 'COUNT', 100)
end
for i = 1, #page[2], 2 do
  local player = page[2][i]
  local differs
  if ARGV[2] == 'board' then
    local place = redis.call('HGET', entries, player)
    local sub = tonumber(redis.call('HGET', subscores, player) or 0)
    differs = not place
      or string.sub(place, 1, 16) ~= sortable(tonumber(page[2][i + 1])) .. sortable(sub)
  else
    differs = not redis.call('ZSCORE', board, player)
  end
  if differs and redis.call('HEXISTS', moved, player) == 0 then
    redis.call('HSET', moved, player, redis.call('INCR', seq))
  end
end
return page[1]
