-- Stands behind chat/deliver.lua in every script that counts towards achievements.
--
-- `world` has also now (RFC 3339), rules: 'counter threshold achievement;' for each rule, in front of them
-- 'announce 0 channel;' when completions and achievements are announced on that chat channel too; and profile_ttl_s, which
-- the player's cached profile gets again; without it the script does that itself.

local function thresholds_of(world)
  if not world.thresholds then
    world.thresholds = {}
    for name, threshold, achievement in string.gmatch(world.rules, '(%S+) (%S+) (%S+);') do
      local list = world.thresholds[name] or {}
      world.thresholds[name] = list
      list[#list + 1] = {tonumber(threshold), achievement}
    end
  end
  return world.thresholds
end

-- `extra` as say() takes it.
local function announce(world, text, extra)
  local to = thresholds_of(world).announce
  if to then say(world, to[1][2], 'skirmish', text, world.now, extra) end
end

local function is_active(world, player)
  if world.profile_ttl_s then redis.call('EXPIRE', world.prefix .. 'user:' .. player, world.profile_ttl_s) end
end

-- Unlocks once, however often it is called: false when the player had it, or when something else stands there.
local function unlock(world, player, achievement)
  if attempt('HSETNX', world.prefix .. 'achievements:' .. player, achievement, world.now) ~= 1 then return false end
  is_active(world, player)
  local text = player .. ' unlocked ' .. achievement
  local members = ',"player_id":"' .. player .. '","achievement":"' .. achievement .. '"'
  say(world, 'achievement', player, text, world.now, members)
  announce(world, text, ',"event":"achievement"' .. members)
  return true
end

-- A counter of the player went from `before` to `after`: unlocks what it has passed.
local function reached(world, player, counter, before, after)
  for _, rule in ipairs(thresholds_of(world)[counter] or {}) do
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
