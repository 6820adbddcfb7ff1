-- Removes some entries of a namespace.
-- KEYS[1] state_entries:<namespace>, [2] state_names:<namespace>, [3] state_ends:<namespace>
-- ARGV[1] what stands before the key of each entry, [2] most entries to remove
-- Returns how many were removed; 0 when nothing is left.
local names = redis.call('ZRANGE', KEYS[2], 0, ARGV[2] - 1)
for _, key in ipairs(names) do
  redis.call('DEL', ARGV[1] .. key)
  local said = redis.call('HGET', KEYS[1], key)
  if said then redis.call('HINCRBY', KEYS[1], '@bytes', 0 - string.match(said, '^%d+')) end
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
end
if #names == 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
return #names
