-- Subtracts one block of a sealed slice from the board, and moves on to the next one: both or neither, and once.
-- KEYS 1 activity:<slice>, 2 activity:sealed, 3 activity:swept, 4 leaderboard:active, 5 its @seq, 6 its @moved,
--      7 activity:forgotten
-- ARGV 1 the slice, 2 offset of the block (the first is 1), 3 offset behind it, or '' when it is the last,
--      then player, count for each (at most a few hundred)
-- Returns 1, or 0 when this block is not the next one: somebody else has swept it.
local slice = ARGV[1]
if not redis.call('ZSCORE', KEYS[2], slice) then return 0 end
if (redis.call('HGET', KEYS[3], slice) or '1') ~= ARGV[2] then return 0 end

local players = {}
for i = 4, #ARGV, 2 do players[#players + 1] = ARGV[i] end
if #players > 0 then
  local scores = redis.call('ZMSCORE', KEYS[4], unpack(players))
  -- What a deleted player of this id did has left the board already (forget.lua).
  local forgotten = redis.call('EXISTS', KEYS[7]) == 1 and redis.call('HMGET', KEYS[7], unpack(players)) or {}
  local left, gone, moved = {}, {}, {}
  for i, player in ipairs(players) do
    local count = tonumber(ARGV[2 * i + 3])
    if forgotten[i] then
      local rest = tonumber(forgotten[i]) - count
      if rest > 0 then
        redis.call('HSET', KEYS[7], player, string.format('%.0f', rest))
      else
        redis.call('HDEL', KEYS[7], player)
      end
      count = math.max(-rest, 0)
    end
    if scores[i] and count > 0 then
      local score = tonumber(scores[i]) - count
      moved[#moved + 1] = player
      if score > 0 then
        left[#left + 1] = string.format('%.0f', score)
        left[#left + 1] = player
      else
        gone[#gone + 1] = player
      end
    end
  end
  if #left > 0 then redis.call('ZADD', KEYS[4], unpack(left)) end
  if #gone > 0 then redis.call('ZREM', KEYS[4], unpack(gone)) end
  if #moved > 0 then
    -- See docs/leaderboards.md: the board's own order follows from these. The numbers of this board come in blocks
    -- (interactions/commit.lua).
    local block = string.sub(string.format('%.0f', redis.call('INCRBY', KEYS[5], '100000')), 1, -6)
    local marks = {}
    for i, player in ipairs(moved) do marks[2 * i - 1], marks[2 * i] = player, block .. string.format('%05d', i) end
    redis.call('HSET', KEYS[6], unpack(marks))
  end
end

if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[3], slice, ARGV[3])
else
  redis.call('UNLINK', KEYS[1])
  redis.call('ZREM', KEYS[2], slice)
  redis.call('HDEL', KEYS[3], slice)
end
return 1
