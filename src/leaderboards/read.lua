-- Reads entries that stand together. Comes after board.lua.
-- ARGV: 1 how many moved players to place first, 2 how many entries, 3 from where:
--       "at" 4 a position (0 is the best), "after" or "before" 4 an entry of @order,
--       "around" 4 a player, with as many entries on each side,
--       5 "1" to look for players who moved untold
-- Returns {moved players left, seq, players on the board, players in @order, position of the first,
--          its rank, {entries}, {metadata}, order, rank mode, 1 when this is exact whoever is left};
--          position -1 when there is nothing.
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

-- The first `last` entries as @order will have them when everybody is in place: the board knows who
-- they are, and @moved or @entries when each reached its score. So the top of a board that changes
-- all the time is exact, and costs no more than reading. Nothing when too many are tied at the end,
-- or when somebody has moved untold.
local function top(last)
  local scored = redis.call(best_is_high and 'ZREVRANGE' or 'ZRANGE', board, 0, last - 1, 'WITHSCORES')
  local best, score_of = {}, {}
  for i = 1, #scored, 2 do
    best[#best + 1] = scored[i]
    score_of[scored[i]] = scored[i + 1]
  end
  if #best == last then
    local score, most = scored[#scored], 2 * last + 100
    local tied = redis.call('ZRANGEBYSCORE', board, score, score, 'LIMIT', 0, most)
    if #tied == most then return nil end
    for _, player in ipairs(tied) do
      if not score_of[player] then best[#best + 1] = player end
      score_of[player] = score
    end
  end
  if #best == 0 then return nil end
  local changes = redis.call('HMGET', moved, unpack(best))
  local places = redis.call('HMGET', entries, unpack(best))
  local subs = redis.call('EXISTS', subscores) == 1 and redis.call('HMGET', subscores, unpack(best)) or {}
  -- The board has them by score already, so only those who are tied need to be sorted.
  local no_sub, tied_from = sortable(0), 1
  local function sort_tied(last_tied)
    if last_tied > tied_from then
      local run = {unpack(best, tied_from, last_tied)}
      table.sort(run)
      for k, member in ipairs(run) do best[tied_from + k - 1] = member end
    end
    tied_from = last_tied + 1
  end
  for i, player in ipairs(best) do
    local tuple = sortable(score_of[player]) .. (subs[i] and sortable(subs[i]) or no_sub)
    local place = places[i] or ''
    if changes[i] then
      place = tuple .. struct.pack('>I8', tonumber(changes[i]))
    elseif string.sub(place, 1, 16) ~= tuple then
      return nil
    end
    best[i] = place .. player
    if not best[i + 1] or score_of[best[i + 1]] ~= score_of[player] then sort_tied(i) end
  end
  return best
end

-- How many of the first entries rank better than the entry at `position`, and its rank.
local function rank_in(list, position)
  if settings[2] ~= 'competition' and not dense then return position, position + 1 end
  local better, tuples, last = 0, 0, nil
  local mine = string.sub(list[position + 1], 1, 16)
  for i = 1, position do
    local tuple = string.sub(list[i], 1, 16)
    if tuple == mine then break end
    if tuple ~= last then tuples = tuples + 1 end
    better, last = i, tuple
  end
  return position, (dense and tuples or better) + 1
end

local found, players, position, rank, list
local behind = redis.call('HLEN', moved)
local first = from == 'at' and tonumber(where)
if behind > 0 and first and first + limit <= 200 then list = top(first + limit) end
if list then
  -- Few are placed on the way. Of many that would be a fifth of this, and others see to them.
  if behind <= 10 or ARGV[5] == '1' then behind = place_moved(10) end
  found, players = {}, {}
  for i = first + 1, math.min(first + limit, #list) do
    found[#found + 1] = list[i]
    players[#players + 1] = string.sub(list[i], 25)
  end
  if #found > 0 then position, rank = rank_in(list, first) end
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

local notes = {}
if #found > 0 then
  if not rank then position, rank = rank_of(found[1]) end
  if redis.call('EXISTS', metadata) == 1 then
    notes = redis.call('HMGET', metadata, unpack(players))
  end
end
local total = redis.call('ZCARD', board)
return {behind, redis.call('GET', seq) or '0', total, list and total or redis.call('ZCARD', order),
        position or -1, rank or 0, found, notes, settings[1] or 'desc', settings[2] or 'ordinal',
        list and 1 or 0}
