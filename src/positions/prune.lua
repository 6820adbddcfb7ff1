-- Removes from the index those of some players who have no live position.
-- KEYS[1] positions   ARGV prefix, players (at most a few hundred)
-- Returns how many it removed.
local gone = {}
for i = 2, #ARGV do
  if redis.call('EXISTS', ARGV[1] .. 'move:' .. ARGV[i]) == 0 then gone[#gone + 1] = ARGV[i] end
end
if #gone == 0 then return 0 end
return redis.call('ZREM', KEYS[1], unpack(gone))
