-- Makes a connection the writer of a stream: at once, and with the stream's number.
--
-- KEYS[1] ingest:<stream_id>   '<committed> <claim> <owner>'; only '<committed>' when an older version wrote it
-- ARGV    owner, now in ms since 1970, channel of takeovers, stream_id
-- Returns {committed, claim}; {} when the stream belongs to another owner.
-- Publishes '<claim> <stream_id>': writers with a lower claim have been taken over. Claims of a stream only grow, also
-- when Redis forgot the last one: they are at least the time.
-- What else stands there is replaced: nothing is known of the stream.
local stored = redis.pcall('GET', KEYS[1])
if type(stored) ~= 'string' or not string.find(stored, '^%d') then stored = '0' end
local committed, claim, owner = string.match(stored, '^(%d+) ?(%d*) ?(.*)$')
if claim ~= '' and owner ~= ARGV[1] then return {} end
claim = string.format('%.0f', math.max(tonumber(ARGV[2]), (tonumber(claim) or 0) + 1))
redis.call('SET', KEYS[1], committed .. ' ' .. claim .. ' ' .. ARGV[1], 'EX', 86400)
redis.call('PUBLISH', ARGV[3], claim .. ' ' .. ARGV[4])
return {committed, claim}
