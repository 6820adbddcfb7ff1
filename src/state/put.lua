-- Stores an entry and keeps the quota of its namespace. Stands behind index.lua.
-- KEYS as there; [5] player:<id>, when the namespace is a player's
-- ARGV key, body, type, life in ms, most entries, most bytes, If-Match, If-None-Match
-- Returns {'stored', version, ends_at in ms, 1 when it is new}, or {'changed'}, {'full', 'entries' or 'bytes'} or
-- {'unknown'} (no such player) and stores nothing.
local key, bytes, life = ARGV[1], #ARGV[2], tonumber(ARGV[4])
local version, fits = look(ARGV[7], ARGV[8])
if KEYS[5] and redis.call('EXISTS', KEYS[5]) == 0 then return {'unknown'} end
if not fits then return {'changed'} end
-- What is of another type than expected shows here, before anything is written.
redis.call('ZSCORE', KEYS[3], key)
drop_ended()

local function excess()
  local others = math.max(redis.call('HLEN', KEYS[2]) - 1, 0) - redis.call('HEXISTS', KEYS[2], key)
  if others + 1 > tonumber(ARGV[5]) then return 'entries' end
  local held = number_of('@bytes') - number_of(key)
  if held + bytes > tonumber(ARGV[6]) then return 'bytes' end
end
while excess() do
  if drop_ended() == 0 then return {'full', excess()} end
end

leave_index(key)
-- Never the same twice, also when the key was deleted in between: the time in microseconds.
local next_version = string.format('%.0f', math.max(time[1] * 1000000 + time[2], (tonumber(version) or 0) + 1))
local ends_at = string.format('%.0f', now + life)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'body', ARGV[2], 'type', ARGV[3], 'version', next_version, 'ends_at', ends_at)
redis.call('PEXPIREAT', KEYS[1], ends_at)
redis.call('HSET', KEYS[2], key, bytes .. ' ' .. next_version .. ' ' .. ends_at)
count_bytes(bytes)
redis.call('ZADD', KEYS[3], 0, key)
redis.call('ZADD', KEYS[4], ends_at, key)
-- No entry lives for longer than 30 days, whatever somebody else has written there.
local last = math.min(tonumber(redis.call('ZREVRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2]), now + 2592000000)
for n = 2, 4 do redis.call('PEXPIREAT', KEYS[n], string.format('%.0f', last)) end
return {'stored', next_version, ends_at, version == '' and 1 or 0}
