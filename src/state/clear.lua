-- Removes some entries of a namespace.
-- KEYS[1] state_entries:<namespace>, [2] state_names:<namespace>, [3] state_ends:<namespace>
-- ARGV[1] what stands before the key of each entry, [2] most entries to remove
-- Returns how many were removed; 0 when nothing is left.
local names = redis.call('ZRANGE', KEYS[2], 0, ARGV[2] - 1)
for _, key in ipairs(names) do
  redis.call('DEL', ARGV[1] .. key)
  local function number_of(field) return tonumber(string.match(redis.call('HGET', KEYS[1], field) or '', '^%d+') or 0) end
  redis.call('HSET', KEYS[1], '@bytes', string.format('%.0f', math.max(number_of('@bytes') - number_of(key), 0)))
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
end
if #names == 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
return #names
