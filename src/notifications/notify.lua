-- Stores a notification and announces it, once.
-- KEYS[1] notifications:<player_id>   KEYS[2] notified:<once>
-- ARGV    channel, player_id, text, ts, limit, how long `once` is remembered in seconds
-- Returns the notification's id; that of the first time when it was sent before.
local known = redis.call('GET', KEYS[2])
if known then return known end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[5], '*', 'text', ARGV[3], 'ts', ARGV[4])
redis.call('SET', KEYS[2], id, 'EX', ARGV[6])
redis.call('PUBLISH', ARGV[1], cjson.encode({id = id, player_id = ARGV[2], text = ARGV[3], ts = ARGV[4]}))
return id
