-- Reads entries that stand together. Comes after board.lua.
-- ARGV: 1 how many moved players to place first, 2 how many entries, 3 from where:
--       "at" 4 a position (0 is the best), "after" or "before" 4 an entry of @order,
--       "around" 4 a player, with as many entries on each side,
--       5 "1" to look for players who moved untold
-- Returns {moved players left, seq, players on the board, players in @order, position of the first,
--          its rank, {entries}, {metadata}, order, rank mode}; position -1 when there is nothing.
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

local behind = place_moved(tonumber(ARGV[1]))
local found, players, position = look()

-- Are those who were found, and those whom the board shows here, where they should be? The player who
-- asks is always looked at; all of them cost as much as the rest of a page, so not every time.
local suspects = {}
if ARGV[5] == '1' then
  suspects = {unpack(players)}
  local first = position or (from == 'at' and tonumber(where))
  if first then
    local range = best_is_high and 'ZREVRANGE' or 'ZRANGE'
    for _, player in ipairs(redis.call(range, board, first, first + limit - 1)) do
      suspects[#suspects + 1] = player
    end
  end
end
if from == 'around' then suspects[#suspects + 1] = where end
if mark_untold(suspects) then
  behind = place_moved(tonumber(ARGV[1]))
  found, players, position = look()
end

local rank, notes = 0, {}
if #found > 0 then
  position, rank = rank_of(found[1])
  if redis.call('EXISTS', metadata) == 1 then
    notes = redis.call('HMGET', metadata, unpack(players))
  end
end
return {behind, redis.call('GET', seq) or '0', redis.call('ZCARD', board),
        redis.call('ZCARD', order), position or -1, rank, found, notes,
        settings[1] or 'desc', settings[2] or 'ordinal'}
