-- Takes a player, or everybody, off a channel because it is removed.
--
-- KEYS[1] presence:<channel>   ARGV prefix, channel, player ('': everybody)
-- Every server thread then unsubscribes the sockets concerned (hub.cpp). Returns how many players were there.
local all, prefix, channel, player = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local call = redis.call
local players = {player}
if player == '' then
  players = redis.pcall('ZRANGE', all, 0, -1)
  if players.err then players = {} end
end
local count = 0
for _, one in ipairs(players) do
  call('DEL', all .. '@' .. one)
  if redis.pcall('ZREM', all, one) == 1 then
    count = count + 1
    call('PUBLISH', all, '{"channel":"' .. channel .. '","player_id":"' .. one .. '","event":"leave"}')
  end
end
local who = player ~= '' and ',"player_id":"' .. player .. '"' or ''
call('PUBLISH', prefix .. channel, '{"removed":{"channel":"' .. channel .. '"' .. who .. '}}')
return count
