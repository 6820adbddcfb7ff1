-- Stands behind chat/deliver.lua in every script that counts towards achievements.
--
-- `world` has also now (RFC 3339), rules: 'counter threshold achievement;' for each rule, and profile_ttl_s, which the
-- player's cached profile gets again; without it the script does that itself.

local function is_active(world, player)
  if world.profile_ttl_s then redis.call('EXPIRE', world.prefix .. 'user:' .. player, world.profile_ttl_s) end
end

-- Unlocks once, however often it is called: false when the player had it, or when something else stands there.
local function unlock(world, player, achievement)
  if attempt('HSETNX', world.prefix .. 'achievements:' .. player, achievement, world.now) ~= 1 then return false end
  is_active(world, player)
  say(world, 'achievement', player, player .. ' unlocked ' .. achievement, world.now,
      ',"player_id":"' .. player .. '","achievement":"' .. achievement .. '"')
  return true
end

-- A counter of the player went from `before` to `after`: unlocks what it has passed.
local function reached(world, player, counter, before, after)
  if not world.thresholds then
    world.thresholds = {}
    for name, threshold, achievement in string.gmatch(world.rules, '(%S+) (%S+) (%S+);') do
      local list = world.thresholds[name] or {}
      world.thresholds[name] = list
      list[#list + 1] = {tonumber(threshold), achievement}
    end
  end
  for _, rule in ipairs(world.thresholds[counter] or {}) do
    if before < rule[1] and after >= rule[1] then unlock(world, player, rule[2]) end
  end
end

-- Adds 1 to a counter in the live state of a player, if it is one, and returns the new number.
local function count(world, player, counter)
  local key = world.prefix .. 'player:' .. player
  if redis.call('EXISTS', key) == 0 then return end
  local after = attempt('HINCRBY', key, counter, 1)
  if not after then return end
  is_active(world, player)
  reached(world, player, counter, after - 1, after)
  return after
end
