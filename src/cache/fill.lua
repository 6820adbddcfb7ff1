-- Stores a loaded value, unless it was invalidated (or the lease ran out) since the claim.
-- KEYS: 1 the value, 2 its load key
-- ARGV: 1 the token of the claim, or "" to store whatever is known (which fences off other loads),
--       2 "string", "hash" or "none", 3 the TTL in ms (of the absence for "none"; 0 remembers nothing),
--       4… the string, or fields and values in turn
-- Returns 1 when stored, 0 when the load must discard it.
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
if ARGV[2] == 'none' then
  if ARGV[3] ~= '0' then redis.call('SET', KEYS[2], 'none', 'PX', ARGV[3]) end
elseif ARGV[2] == 'string' then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
else
  redis.call('HSET', KEYS[1], unpack(ARGV, 4))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1
