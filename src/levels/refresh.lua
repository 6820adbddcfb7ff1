-- Caches the popular levels, all at once, and says so. Stands behind chat/deliver.lua.
-- KEYS lease:popular   ARGV token, prefix, now, history_limit, history_ttl_s, ttl_s, text, extra (see say()),
--                      '1' to change nothing when a level was changed meanwhile, then level, JSON for each
-- A level is stored only while cache:load:level:<level> has the token, as every load of the cache does it: a change
-- since the levels were read has deleted it.
-- Returns 'done'; 'again' when a level was changed meanwhile; 'led' when the token does not hold the lease (any more)
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'led' end
local world = {prefix = ARGV[2], now = ARGV[3], history_limit = ARGV[4], history_ttl_s = ARGV[5]}
local function is_unchanged(level) return redis.pcall('GET', world.prefix .. 'cache:load:level:' .. level) == ARGV[1] end

if ARGV[9] == '1' then
  for i = 10, #ARGV, 2 do
    if not is_unchanged(ARGV[i]) then return 'again' end
  end
end
for i = 10, #ARGV, 2 do
  if is_unchanged(ARGV[i]) then
    redis.call('SET', world.prefix .. 'level:' .. ARGV[i], ARGV[i + 1], 'EX', ARGV[6])
    redis.call('DEL', world.prefix .. 'cache:load:level:' .. ARGV[i])
  end
end
say(world, 'cache', 'skirmish', ARGV[7], world.now, ARGV[8])
return 'done'
