-- A part of the players whose cells lie in some ranges: all of them in the order of their cells, or when they are more than
-- are asked for, blocks of 20 at even distances in that order, so that where many stand many are shown.
-- KEYS[1] positions   ARGV 1 how many players to take in all, 2 the first block to return, 3 how many blocks to return,
--                          then first, last of each range
-- Returns {how many there are in the ranges, how many blocks there are, player, cell, …}
local block = 20
local bases, counts, total = {}, {}, 0
for i = 4, #ARGV, 2 do
  bases[#bases + 1] = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[i])
  counts[#counts + 1] = redis.call('ZCOUNT', KEYS[1], ARGV[i], ARGV[i + 1])
  total = total + counts[#counts]
end
local most = math.min(total, tonumber(ARGV[1]))
local blocks = math.ceil(most / block)
local out = {total, blocks}
local first = tonumber(ARGV[2])
for b = first, math.min(blocks, first + tonumber(ARGV[3])) - 1 do
  local skip, left = b * block, math.min(block, most - b * block)
  if total > most then skip = math.floor(b * total / blocks) end
  for i = 1, #counts do
    if left == 0 then break end
    if skip >= counts[i] then
      skip = skip - counts[i]
    else
      local start = bases[i] + skip
      local take = math.min(left, counts[i] - skip)
      for _, v in ipairs(redis.call('ZRANGE', KEYS[1], start, start + take - 1, 'WITHSCORES')) do out[#out + 1] = v end
      skip, left = 0, left - take
    end
  end
end
return out
