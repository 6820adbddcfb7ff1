-- What flush_activity() is told of the world, from the first arguments of a script that flushes pending activity.
local function activity_world(args)
  return {prefix = args[1], active = args[1] .. 'leaderboard:active', activity = open_slice(args[1], args[2], args[3], 0),
          actions_limit = tonumber(args[4]), profile_ttl_s = args[5]}
end
