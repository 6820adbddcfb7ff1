-- Who is on a channel, across connections and servers.
--
-- KEYS[1] presence:<channel>             (anchors the Cluster slot; the other names are built from the prefix)
-- ARGV    prefix, channel, 'stay' or 'leave', node, now in ms since 1970, ttl_ms, players…
--         A node is a server thread; it says `stay` when the first connection of a player comes and again before the TTL
--         ends, `leave` when the last one goes.
-- Keeps presence@players (player → end, of all channels; who has left stays until then), presence:<channel> (player → end) and presence:<channel>@<player_id> (node → end), both until their last end.
-- Publishes each join and leave once, also of players whose server has died. Returns nothing.
local prefix, channel, verb, node = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now, ttl = tonumber(ARGV[5]), tonumber(ARGV[6])
local all, stop = KEYS[1], string.format('%d', now + ttl)
local call = redis.call

local function announce(event, player)
  call('PUBLISH', all, '{"channel":"' .. channel .. '","player_id":"' .. player .. '","event":"' .. event .. '"}')
end

for i = 7, #ARGV do
  local player = ARGV[i]
  local nodes = all .. '@' .. player
  -- What else somebody stored there must not keep the others out.
  if type(redis.pcall('ZREMRANGEBYSCORE', nodes, '-inf', now)) == 'table' then call('DEL', nodes) end
  if verb == 'stay' then
    if call('ZCARD', nodes) == 0 then announce('join', player) end
    call('ZADD', nodes, stop, node)
    call('PEXPIRE', nodes, ttl)
    call('ZADD', all, stop, player)
    redis.pcall('ZADD', prefix .. 'presence@players', stop, player)
  else
    call('ZREM', nodes, node)
    if call('ZCARD', nodes) == 0 and call('ZREM', all, player) == 1 then announce('leave', player) end
  end
end
for _, player in ipairs(call('ZRANGEBYSCORE', all, '-inf', now, 'LIMIT', 0, 100)) do
  call('ZREM', all, player)
  announce('leave', player)
end
redis.pcall('ZREMRANGEBYSCORE', prefix .. 'presence@players', '-inf', now)
redis.pcall('PEXPIRE', prefix .. 'presence@players', ttl)
if call('EXISTS', all) == 1 then call('PEXPIRE', all, ttl) end
