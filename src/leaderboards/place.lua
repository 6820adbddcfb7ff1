-- Only brings @order in step. Comes after index.lua.
-- ARGV: 1 how many players at most
-- Returns how many are left.
return place_moved(tonumber(ARGV[1]))
