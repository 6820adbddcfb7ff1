-- Players whose cells lie in some ranges, unless they are too many.
-- KEYS[1] positions   ARGV most, '1' to return `most` of them when there are more, then first, last of each range
-- Returns {how many there are, player, cell, …}; without players when they are too many.
local most, total = tonumber(ARGV[1]), 0
for i = 3, #ARGV, 2 do total = total + redis.call('ZCOUNT', KEYS[1], ARGV[i], ARGV[i + 1]) end
local out = {total}
if total > most and ARGV[2] ~= '1' then return out end
for i = 3, #ARGV, 2 do
  local found = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i + 1], 'WITHSCORES', 'LIMIT', 0, most)
  for _, v in ipairs(found) do out[#out + 1] = v end
  most = most - #found / 2
  if most <= 0 then break end
end
return out
