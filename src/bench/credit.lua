-- Counts interactions of many players at once, exactly as a commit does (interactions/commit.lua); for benchmarks and
-- tests of the window. Stands behind open_slice.lua.
-- KEYS[1] leaderboard:active
-- ARGV prefix, start and length of the slice (s), then player, count for each (at most 2,000)
-- Returns the key of the slice.
local slice = open_slice(ARGV[1], ARGV[2], ARGV[3], (#ARGV - 3) / 2)
local players = {}
for i = 4, #ARGV, 2 do players[#players + 1] = ARGV[i] end
local totals = redis.call('ZMSCORE', KEYS[1], unpack(players))
local here = redis.call('HMGET', slice, unpack(players))
local block = string.sub(string.format('%.0f', redis.call('INCRBY', KEYS[1] .. '@seq', '100000')), 1, -6)
local scores, counts, marks = {}, {}, {}
for i, player in ipairs(players) do
  local count = tonumber(ARGV[2 * i + 3])
  scores[2 * i - 1], scores[2 * i] = string.format('%.0f', tonumber(totals[i] or 0) + count), player
  counts[2 * i - 1], counts[2 * i] = player, string.format('%.0f', tonumber(here[i] or 0) + count)
  marks[2 * i - 1], marks[2 * i] = player, block .. string.format('%05d', i)
end
redis.call('ZADD', KEYS[1], unpack(scores))
redis.call('HSET', slice, unpack(counts))
redis.call('HSET', KEYS[1] .. '@moved', unpack(marks))
return slice
