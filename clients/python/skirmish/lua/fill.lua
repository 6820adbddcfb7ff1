-- Stores a loaded value, unless it was invalidated (or the lease ran out) since the claim.
-- KEYS: 1 the value, 2 its load key, 3 the hash in which a number grows (or none)
-- ARGV: 1 the token of the claim, or "" to store whatever is known (which fences off other loads),
--       2 "string", "hash" or "none", 3 the TTL in ms (of the absence for "none"; 0 remembers nothing),
--       4 the field that grows in KEYS[3], or "", 5… the string, or fields and values in turn
-- Returns {0} when the load must discard what it has, {1} when that is stored now, {1, number} when it is with a number
--         that had grown
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return {0} end
redis.call('DEL', KEYS[1], KEYS[2])
if ARGV[2] == 'none' then
  if ARGV[3] ~= '0' then redis.call('SET', KEYS[2], 'none', 'PX', ARGV[3]) end
  return {1}
elseif ARGV[2] == 'string' then
  redis.call('SET', KEYS[1], ARGV[5], 'PX', ARGV[3])
  return {1}
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if ARGV[4] == '' then return {1} end
-- What else may stand under the other key is no number.
local stored, grown = redis.call('HGET', KEYS[1], ARGV[4]), redis.pcall('HGET', KEYS[3], ARGV[4])
if tonumber(grown) and tonumber(grown) > (tonumber(stored or '') or -math.huge) then
  redis.call('HSET', KEYS[1], ARGV[4], grown)
  return {1, grown}
end
return {1}
