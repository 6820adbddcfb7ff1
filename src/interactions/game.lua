-- The events of commit.lua that are no attacks, moves, respawns or scores, in their order. Stands between
-- achievements/unlock.lua and commit.lua.
--
-- ARGV, read by next_arg(): a count, then for each its kind and
--   item        player, item, quantity
--   trade       id, digest, from, to, '1' when it is what `from` did last, its action as JSON,
--               a count of what is given and item, quantity for each, the same for what is taken
--   completion  id, level, player, score
--   chat        channel, from, text, ts
-- `world` may have note_move, a function that is told the key of each board and the player whose score changed on it.
-- It has also now_ms, active (key of leaderboard:active), activity (key of the open slice), profile_ttl_s,
-- actions_limit, ids (the remembered event ids: commit.lua), and add_action(player, line).
-- Appends '!<n> <verdict>' to outcome for the n-th that was not applied: 'seen', 'taken' (its id is another event's),
-- 'lacks <player> <item>', 'full', 'range', 'muted', 'banned', 'damaged' when something else stands under a key that it
-- needs.

-- Up to 2^53 doubles, and so Lua and sorted sets, hold whole numbers exactly. An inventory has so many items
-- (inventory::service::items_limit).
local exact_limit, items_limit = 9007199254740992, 1000

-- Whether a score stays within that when it is changed.
local function score_fits(board, player, change)
  local before, by = tonumber(redis.call('ZSCORE', board, player) or 0), tonumber(change)
  local after = before + by
  return math.abs(after) < exact_limit or math.abs(after) == exact_limit and after - before == by
end

-- Adds to an inventory; the result is never below 0, and nothing is kept of what is used up. False when it is damaged.
local function gain(key, item, quantity)
  local has = attempt('HINCRBY', key, item, quantity)
  if not has then return false end
  if has <= 0 then redis.call('HDEL', key, item) end
  return true
end

local function add_score(world, board, player, score)
  redis.call('ZINCRBY', board, score, player)
  if world.note_move then world.note_move(board, player) end
end

local function level_up(world, player)
  local level = count(world, player, 'level')
  if not level then return end
  local profile = world.prefix .. 'user:' .. player
  if redis.call('EXISTS', profile) == 1 then attempt('HSET', profile, 'level', level) end
  redis.call('EXPIRE', profile, world.profile_ttl_s)
  redis.call('SADD', world.prefix .. 'players:levelled', player)
end

local game = {}

function game.item(world, next_arg)
  local key, item, quantity = world.prefix .. 'inventory:' .. next_arg(), next_arg(), tonumber(next_arg())
  if not gain(key, item, quantity) then return 'damaged' end
  if quantity < 0 then return end
  local has = tonumber(redis.call('HGET', key, item) or 0)
  if has >= exact_limit or has == quantity and redis.call('HLEN', key) > items_limit then
    gain(key, item, -quantity)
    return 'full'
  end
end

function game.trade(world, next_arg)
  local id, digest = next_arg(), next_arg()
  local from, to, is_last, action = next_arg(), next_arg(), next_arg(), next_arg()
  local inventories = {[from] = world.prefix .. 'inventory:' .. from, [to] = world.prefix .. 'inventory:' .. to}
  local moves, missing, is_unfit, is_full = {}, nil, false, false
  local function quantity_of(player, item)
    local text = attempt('HGET', inventories[player], item)
    local has = text ~= nil and tonumber(text or 0)
    is_unfit = is_unfit or not has
    return has or 0
  end
  for _, giver in ipairs({from, to}) do
    for _ = 1, tonumber(next_arg()) do
      local item, quantity = next_arg(), tonumber(next_arg())
      local taker = giver == from and to or from
      if quantity_of(giver, item) < quantity then missing = missing or ('lacks ' .. giver .. ' ' .. item) end
      is_full = is_full or quantity_of(taker, item) + quantity >= exact_limit
      moves[#moves + 1] = {giver, taker, item, quantity}
    end
  end
  if id ~= '' then
    local known = world.ids.digest_of(id)
    if known == nil then return 'damaged' end
    if known then return known == digest and 'seen' or 'taken' end
  end
  if is_unfit then return 'damaged' end
  if missing then return missing end
  if is_full then return 'full' end
  for _, m in ipairs(moves) do
    gain(inventories[m[1]], m[3], -m[4])
    gain(inventories[m[2]], m[3], m[4])
  end
  if id ~= '' then world.ids.remember(id, digest) end
  local key = world.prefix .. 'player:' .. from
  if is_last == '1' then redis.call('HSET', key, 'interaction', 'trade', 'target', to) end
  if world.actions_limit > 0 then world.add_action(from, action) end
  add_score(world, world.active, from, 1)
  redis.call('HINCRBY', world.activity, from, 1)
  redis.call('EXPIRE', world.prefix .. 'user:' .. from, world.profile_ttl_s)
end

function game.completion(world, next_arg)
  local id, level, player, score = next_arg(), next_arg(), next_arg(), next_arg()
  local global, own = world.prefix .. 'leaderboard:global', world.prefix .. 'leaderboard:level:' .. level
  if not score_fits(global, player, score) or not score_fits(own, player, score) then return 'range' end
  if id ~= '' then
    local key, what = world.prefix .. 'completion:' .. id, level .. ' ' .. player .. ' ' .. score
    if not redis.call('SET', key, what, 'NX', 'EX', 86400) then
      -- Older servers wrote no score.
      local known = attempt('GET', key)
      if not known then return 'damaged' end
      return (known == what or known == level .. ' ' .. player) and 'seen' or 'taken'
    end
  end
  redis.call('ZINCRBY', world.prefix .. 'levels:popular', 1, level)
  add_score(world, global, player, score)
  add_score(world, own, player, score)
  count(world, player, 'completions')
  level_up(world, player)
  redis.call('PUBLISH', world.prefix .. 'activity',
             '{"type":"completion","player_id":"' .. player .. '","level_id":"' .. level .. '","score":' .. score ..
             ',"ts":"' .. world.now .. '"}')
  announce(world, player .. ' completed ' .. level,
           ',"event":"completion","player_id":"' .. player .. '","level_id":"' .. level .. '","score":' .. score)
end

function game.chat(world, next_arg)
  local channel, from, text, ts = next_arg(), next_arg(), next_arg(), next_arg()
  local why = silenced(world, channel, from, world.now_ms)
  if why then return why end
  if not say(world, channel, from, text, ts, '') then return 'damaged' end
  count(world, from, 'chats')
end

local function apply_game(world, next_arg, outcome)
  for n = 1, tonumber(next_arg()) do
    local verdict = game[next_arg()](world, next_arg)
    if verdict then outcome[#outcome + 1] = '!' .. n .. ' ' .. verdict end
  end
end
