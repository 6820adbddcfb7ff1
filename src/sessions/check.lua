-- Reads a session, and notes its use at most once a minute.
-- KEYS[1] session:<digest>   ARGV[1] now in ms, [2] sessions.idle_ttl in ms
-- Returns player_id, session_id, name, method, created_at, seen_at, ends_at, epoch; nil when there is none.
local found = redis.call('HMGET', KEYS[1], 'player_id', 'session_id', 'name', 'method', 'created_at', 'seen_at',
                         'ends_at', 'epoch')
if not found[8] then return nil end
local now, ends_at = tonumber(ARGV[1]), tonumber(found[7])
if ends_at <= now then
  redis.call('DEL', KEYS[1])
  return nil
end
if now - tonumber(found[6]) >= 60000 then
  redis.call('HSET', KEYS[1], 'seen_at', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], math.min(tonumber(ARGV[2]), ends_at - now))
end
return found
