-- Reads a session, and notes its use at most once a minute, or twice per idle_ttl when that is short.
-- KEYS[1] session:<digest>   ARGV[1] now in ms, [2] sessions.idle_ttl in ms
-- Returns player_id, session_id, name, method, created_at, seen_at, ends_at, epoch; nil when there is none.
local found = redis.call('HMGET', KEYS[1], 'player_id', 'session_id', 'name', 'method', 'created_at', 'seen_at',
                         'ends_at', 'epoch')
if not found[8] then return nil end
local now, ends_at, idle_ttl = tonumber(ARGV[1]), tonumber(found[7]), tonumber(ARGV[2])
if ends_at <= now then
  redis.call('DEL', KEYS[1])
  return nil
end
if now - tonumber(found[6]) >= math.min(60000, idle_ttl / 2) then
  redis.call('HSET', KEYS[1], 'seen_at', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], math.min(idle_ttl, ends_at - now))
end
return found
