-- Takes or keeps the lead.
-- KEYS: [1] beat:leader   ARGV: [1] token  [2] lease in milliseconds     Returns 1 when this scheduler leads.
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
