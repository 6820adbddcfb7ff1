-- Caches the popular levels, all at once, and says so. Stands behind chat/deliver.lua.
-- KEYS lease:popular   ARGV token, prefix, now, history_limit, history_ttl_s, ttl_s, text, extra (see say()),
--                      then level, JSON for each
-- Returns 1, or 0 when the token does not hold the lease: then nothing was changed.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local world = {prefix = ARGV[2], now = ARGV[3], history_limit = ARGV[4], history_ttl_s = ARGV[5]}
for i = 9, #ARGV, 2 do
  redis.call('SET', world.prefix .. 'level:' .. ARGV[i], ARGV[i + 1], 'EX', ARGV[6])
  -- A load under way would put its own, shorter-lived copy in its place.
  redis.call('DEL', world.prefix .. 'cache:load:level:' .. ARGV[i])
end
say(world, 'cache', 'skirmish', ARGV[7], world.now, ARGV[8])
return 1
