-- Reads entries that stand together. Comes after board.lua.
-- ARGV: 1 how many moved players to place first, 2 how many entries, 3 from where:
--       "at" 4 a position (0 is the best), "after" or "before" 4 an entry of @order,
--       "around" 4 per player, with as many entries on each side,
--       5 "1" to look for players who moved untold, 6 "1" when the top may be told by parts
-- Returns {moved players left, seq, players on the board, players in @order, position of the first,
--          its rank, {entries}, {metadata}, order, rank mode, top}; position -1 when there is nothing.
--          top: {}, or the parts of the first entries instead of them, which are exact whoever is left:
--          {players, scores, subscores, changes not in @order yet, places, metadata}
local limit, from, where = tonumber(ARGV[2]), ARGV[3], ARGV[4]

local function look()
  local found = {}
  if from == 'at' then
    found = redis.call('ZRANGE', order, where, where + limit - 1)
  elseif from == 'after' then
    found = redis.call('ZRANGEBYLEX', order, '(' .. where, '+', 'LIMIT', 0, limit)
  elseif from == 'before' then
    local reversed = redis.call('ZREVRANGEBYLEX', order, '(' .. where, '-', 'LIMIT', 0, limit)
    for i = #reversed, 1, -1 do found[#found + 1] = reversed[i] end
  else
    local place = redis.call('HGET', entries, where)
    local position = place and redis.call('ZRANK', order, place .. where)
    if position then
      found = redis.call('ZRANGE', order, math.max(0, position - limit), position + limit)
    end
  end
  local players = {}
  for i, member in ipairs(found) do players[i] = string.sub(member, 25) end
  local position = found[1] and redis.call('ZRANK', order, found[1])
  return found, players, position
end

-- What it takes to know the first `last` entries as @order will have them when everybody is in place: the board knows who
-- they are, and @moved or @entries when each reached its score. So the top of a board that changes all the time is exact, and
-- costs no more than reading; the caller puts it in order (place.hpp). Nothing when too many are tied at the end.
local function top(last)
  local scored = redis.call(best_is_high and 'ZREVRANGE' or 'ZRANGE', board, 0, last - 1, 'WITHSCORES')
  local best, scores, known = {}, {}, {}
  for i = 1, #scored, 2 do
    best[#best + 1], scores[#scores + 1] = scored[i], scored[i + 1]
    known[scored[i]] = true
  end
  if #best == last then
    local score, most = scored[#scored], 2 * last + 100
    local tied = redis.call('ZRANGEBYSCORE', board, score, score, 'LIMIT', 0, most)
    if #tied == most then return nil end
    for _, player in ipairs(tied) do
      if not known[player] then best[#best + 1], scores[#scores + 1] = player, score end
    end
  end
  if #best == 0 then return nil end
  local subs = redis.call('EXISTS', subscores) == 1 and redis.call('HMGET', subscores, unpack(best)) or {}
  local notes = redis.call('EXISTS', metadata) == 1 and redis.call('HMGET', metadata, unpack(best)) or {}
  return {best, scores, subs, redis.call('HMGET', moved, unpack(best)), redis.call('HMGET', entries, unpack(best)), notes}
end

local found, players, position, list = {}, {}, nil, nil
local behind = redis.call('HLEN', moved)
local first = from == 'at' and tonumber(where)
if behind > 0 and first and first + limit <= 200 and ARGV[6] == '1' then list = top(first + limit) end
if list then
  -- Few are placed on the way. Of many that would be a fifth of this, and others see to them.
  if behind <= 10 or ARGV[5] == '1' then behind = place_moved(10) end
else
  behind = place_moved(tonumber(ARGV[1]))
  found, players, position = look()
end

-- Are those who were found, and those whom the board shows here, where they should be? The player who
-- asks is always looked at; all of them cost as much as the rest of a page, so not every time.
local suspects = {}
if ARGV[5] == '1' and not list then
  suspects = {unpack(players)}
  local at = position or first
  if at then
    local range = best_is_high and 'ZREVRANGE' or 'ZRANGE'
    for _, player in ipairs(redis.call(range, board, at, at + limit - 1)) do
      suspects[#suspects + 1] = player
    end
  end
end
if from == 'around' then suspects[#suspects + 1] = where end
if mark_untold(suspects) then
  behind = place_moved(tonumber(ARGV[1]))
  found, players, position = look()
end

local notes, rank = {}, 0
if #found > 0 then
  position, rank = rank_of(found[1])
  if redis.call('EXISTS', metadata) == 1 then
    notes = redis.call('HMGET', metadata, unpack(players))
  end
end
local total = redis.call('ZCARD', board)
return {behind, redis.call('GET', seq) or '0', total, list and total or redis.call('ZCARD', order),
        position or -1, rank, found, notes, settings[1] or 'desc', settings[2] or 'ordinal',
        list or {}}
