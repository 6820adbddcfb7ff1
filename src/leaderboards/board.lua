-- The first part of every leaderboard script; its name sorts before theirs, as includes are sorted.
--
-- KEYS 1 to 9 are those of leaderboards_keys.hpp, in its order. `leaderboard:<board>` and
-- `@subscores` say what a player has, `@moved` whose place in `@order` is out of date, and since
-- which change. place_moved() brings @order in step. A place is three numbers of 8 bytes, so that
-- bytes compare as the board ranks: score, subscore, and the seq at which the player reached them.
local board, order, entries, moved, subscores, distinct, config, metadata, seq = unpack(KEYS, 1, 9)
local settings = redis.call('HMGET', config, 'order', 'rank_mode', 'operator', 'next_reset')
local best_is_high = settings[1] ~= 'asc'
local dense = settings[2] == 'dense'

-- 8 bytes whose order is the number's (IEEE 754, sign made comparable), or its reverse.
local function sortable(number)
  local high, low = struct.unpack('>I4I4', struct.pack('>d', number + 0))
  if high >= 2147483648 then
    high, low = 4294967295 - high, 4294967295 - low
  else
    high = high + 2147483648
  end
  if best_is_high then
    high, low = 4294967295 - high, 4294967295 - low
  end
  return struct.pack('>I4I4', high, low)
end

local function update_distinct(left, reached)
  for i = 2, #reached, 2 do redis.call('ZADD', distinct, 0, string.sub(reached[i], 1, 16)) end
  for _, member in ipairs(left) do
    local tuple = string.sub(member, 1, 16)
    local others = redis.call('ZRANGEBYLEX', order, '[' .. tuple, '(' .. tuple .. '\255', 'LIMIT', 0, 1)
    if #others == 0 then redis.call('ZREM', distinct, tuple) end
  end
end

-- Places at most `limit` of the moved players; returns how many are left.
local function place_moved(limit)
  local taken = redis.call('HRANDFIELD', moved, limit, 'WITHVALUES')
  if #taken == 0 then return 0 end
  local players = {}
  for i = 1, #taken, 2 do players[#players + 1] = taken[i] end
  local old = redis.call('HMGET', entries, unpack(players))
  local scores = redis.call('ZMSCORE', board, unpack(players))
  local subs = redis.call('HMGET', subscores, unpack(players))
  local left, reached, places, gone = {}, {}, {}, {}
  for i, player in ipairs(players) do
    if old[i] then left[#left + 1] = old[i] .. player end
    if scores[i] then
      local place = sortable(tonumber(scores[i])) .. sortable(tonumber(subs[i] or 0))
        .. struct.pack('>I8', tonumber(taken[2 * i]))
      reached[#reached + 1] = 0
      reached[#reached + 1] = place .. player
      places[#places + 1] = player
      places[#places + 1] = place
    else
      gone[#gone + 1] = player
    end
  end
  if #left > 0 then redis.call('ZREM', order, unpack(left)) end
  if #reached > 0 then
    redis.call('ZADD', order, unpack(reached))
    redis.call('HSET', entries, unpack(places))
  end
  if #gone > 0 then redis.call('HDEL', entries, unpack(gone)) end
  redis.call('HDEL', moved, unpack(players))
  if dense then update_distinct(left, reached) end
  return redis.call('HLEN', moved)
end

-- Marks those players as moved whose places do not say what the board says: somebody wrote to the
-- board without telling @moved. Returns whether there were any.
local function mark_untold(players)
  if #players == 0 then return false end
  local places = redis.call('HMGET', entries, unpack(players))
  local scores = redis.call('ZMSCORE', board, unpack(players))
  local found = false
  for i, player in ipairs(players) do
    local place, score = places[i] or '', scores[i]
    local right = score and sortable(tonumber(score)) or ''
    if string.sub(place, 1, 8) ~= right and redis.call('HEXISTS', moved, player) == 0 then
      redis.call('HSET', moved, player, redis.call('INCR', seq))
      found = true
    end
  end
  return found
end

-- How many players rank better, and the rank by the board's mode, of an entry of @order.
local function rank_of(member)
  local position = redis.call('ZRANK', order, member)
  if not position then return false end
  local tuple = string.sub(member, 1, 16)
  if settings[2] == 'competition' then
    return position, redis.call('ZLEXCOUNT', order, '-', '(' .. tuple) + 1
  elseif dense then
    return position, redis.call('ZRANK', distinct, tuple) + 1
  end
  return position, position + 1
end
