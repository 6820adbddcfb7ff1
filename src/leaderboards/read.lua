-- Reads entries that stand together. Comes after index.lua.
-- ARGV: 1 how many moved players to place first, 2 how many entries, 3 from where:
--       "at" 4 a position (0 is the best), "after" or "before" 4 an entry of @order,
--       "around" 4 a player, with as many entries on each side
-- Returns {moved players left, seq, players on the board, players in @order, position of the first,
--          its rank, {entries}, {metadata}, order, rank mode}; position -1 when there is nothing.
local behind = place_moved(tonumber(ARGV[1]))
local limit = tonumber(ARGV[2])
local from, where = ARGV[3], ARGV[4]
local found = {}
if from == 'at' then
  local first = tonumber(where)
  found = redis.call('ZRANGE', order, first, first + limit - 1)
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
local position, rank = -1, 0
if #found > 0 then position, rank = rank_of(found[1]) end
local notes = {}
if #found > 0 and redis.call('EXISTS', metadata) == 1 then
  local players = {}
  for i, member in ipairs(found) do players[i] = string.sub(member, 25) end
  notes = redis.call('HMGET', metadata, unpack(players))
end
return {behind, redis.call('GET', seq) or '0', redis.call('ZCARD', board),
        redis.call('ZCARD', order), position, rank, found, notes,
        settings[1] or 'desc', settings[2] or 'ordinal'}
