-- Only brings @order in step. Comes after board.lua.
-- ARGV: 1 how many players at most
-- Returns how many are left.
return place_moved(tonumber(ARGV[1]))
