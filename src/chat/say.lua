-- Says something live: moderation and rate first. Stands behind achievements/unlock.lua.
--
-- KEYS[1] chat:<channel>                 (anchors the Cluster slot; the other names are built from the prefix)
-- ARGV    prefix, channel, from, text, ts, now in ms since 1970, history_limit, history_ttl_s, rules,
--         µs that one message uses up of the speaker's allowance (0: no limit), allowance in µs, profile_ttl_s,
--         id of the API key that sends it, the same two numbers for the key
-- Returns {'ok', id}, {'banned'}, {'muted'}, {'damaged'} or {'slow', ms until the next one is allowed}
local prefix, channel, from, text, ts = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now_ms = tonumber(ARGV[6])
local world = {prefix = prefix, now = ts, history_limit = ARGV[7], history_ttl_s = ARGV[8], rules = ARGV[9],
               profile_ttl_s = ARGV[12]}

local why = silenced(world, channel, from, now_ms)
if why then return {why} end
-- GCRA: the theoretical arrival time of who sends may be ahead of now by its allowance.
local now_us, full = now_ms * 1000, {}
for key, limit in pairs({['ratelimit:chat:' .. from] = {ARGV[10], ARGV[11]},
                         ['ratelimit:chatkey:' .. ARGV[13]] = {ARGV[14], ARGV[15]}}) do
  local cost, allowance = tonumber(limit[1]), tonumber(limit[2])
  if cost > 0 then
    local full_at = math.max(tonumber(redis.call('GET', prefix .. key) or 0), now_us) + cost
    local wait = full_at - now_us - allowance
    if wait > 0 then return {'slow', math.ceil(wait / 1000)} end
    full[prefix .. key] = full_at
  end
end
for key, full_at in pairs(full) do
  redis.call('SET', key, string.format('%.0f', full_at), 'PX', math.ceil((full_at - now_us) / 1000))
end
local id = say(world, channel, from, text, ts, '')
if not id then return {'damaged'} end
count(world, from, 'chats')
return {'ok', id}
