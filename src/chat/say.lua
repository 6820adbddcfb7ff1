-- Says something live: moderation and rate first. Stands behind achievements/unlock.lua.
--
-- KEYS[1] chat:<channel>                 (anchors the Cluster slot; the other names are built from the prefix)
-- ARGV    prefix, channel, from, text, ts, now in ms since 1970, history_limit, history_ttl_s, rules,
--         ms that one message uses up of the sender's allowance (0: no limit), allowance in ms, profile_ttl_s
-- Returns {'ok', id}, {'banned'}, {'muted'}, {'damaged'} or {'slow', ms until the next one is allowed}
local prefix, channel, from, text, ts = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now_ms, cost, allowance = tonumber(ARGV[6]), tonumber(ARGV[10]), tonumber(ARGV[11])
local world = {prefix = prefix, now = ts, history_limit = ARGV[7], history_ttl_s = ARGV[8], rules = ARGV[9],
               profile_ttl_s = ARGV[12]}

local why = silenced(world, channel, from, now_ms)
if why then return {why} end
if cost > 0 then
  -- GCRA: the sender's theoretical arrival time may be ahead of now by its allowance.
  local key = prefix .. 'ratelimit:chat:' .. from
  local full_at = math.max(tonumber(redis.call('GET', key) or 0), now_ms) + cost
  local wait = full_at - now_ms - allowance
  if wait > 0 then return {'slow', wait} end
  redis.call('SET', key, string.format('%d', full_at), 'PX', full_at - now_ms)
end
local id = say(world, channel, from, text, ts, '')
if not id then return {'damaged'} end
count(world, from, 'chats')
return {'ok', id}
