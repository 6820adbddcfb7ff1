-- A page of the players whose cells lie in some ranges, unless they are too many.
-- KEYS[1] positions   ARGV 1 how many may be in the ranges, 2 how many to skip, 3 how many to return at most,
--                          then first, last of each range
-- Returns {how many there are, player, cell, …}; without players when they are too many.
local total, skip, left = 0, tonumber(ARGV[2]), tonumber(ARGV[3])
local counts = {}
for i = 4, #ARGV, 2 do
  counts[i] = redis.call('ZCOUNT', KEYS[1], ARGV[i], ARGV[i + 1])
  total = total + counts[i]
end
local out = {total}
if total > tonumber(ARGV[1]) then return out end
for i = 4, #ARGV, 2 do
  if skip >= counts[i] then
    skip = skip - counts[i]
  elseif left > 0 then
    local found = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i + 1], 'WITHSCORES', 'LIMIT', skip, left)
    for _, v in ipairs(found) do out[#out + 1] = v end
    skip, left = 0, left - #found / 2
  end
end
return out
