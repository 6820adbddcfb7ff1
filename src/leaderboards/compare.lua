-- Looks for players who moved untold, a part of the board at a time. Comes after board.lua.
-- ARGV: 1 a cursor ("0" begins), 2 "board" to walk the board, "entries" to walk the entries
-- Returns the next cursor; "0" ends.
local page
if ARGV[2] == 'board' then
  page = redis.call('ZSCAN', board, ARGV[1], 'COUNT', 100)
else
  page = redis.call('HSCAN', entries, ARGV[1], 'COUNT', 100)
end
local players = {}
for i = 1, #page[2], 2 do players[#players + 1] = page[2][i] end
mark_untold(players)
return page[1]
