-- Stands behind achievements/unlock.lua.
-- KEYS player:<player_id>   ARGV prefix, now, history_limit, history_ttl_s, player, achievement, profile_ttl_s, rules
-- Returns 1 when it is unlocked now, 0 when it was before, -1 when there is no such player
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local world = {prefix = ARGV[1], now = ARGV[2], history_limit = ARGV[3], history_ttl_s = ARGV[4],
               profile_ttl_s = ARGV[7], rules = ARGV[8]}
if unlock(world, ARGV[5], ARGV[6]) then return 1 end
return damaged[1] and redis.error_reply('WRONGTYPE ' .. damaged[1]) or 0
