-- Looks at lists of messages.
-- KEYS: [1] fetched  [2…] the lists
-- ARGV: [1] how many of a list's newest messages are searched  [2…] for each list, the message that was its newest at the
--       look before ('': none)
-- Returns for each list: its length (-1: the key is no list); how many messages stand in front of that message (-1: it was not found); how many
-- were ever fetched by C++ workers; its newest message ('' when that is the same, there is none, or it is too large).
local out = {}
for i = 2, #KEYS do
  local seen = ARGV[i]
  local depth = redis.pcall('LLEN', KEYS[i])
  local pushed, newest = -1, ''
  if type(depth) ~= 'number' then
    depth = -1
  elseif depth > 0 then
    newest = redis.call('LINDEX', KEYS[i], 0)
    if newest == seen then
      pushed, newest = 0, ''
    elseif seen ~= '' then
      pushed = redis.call('LPOS', KEYS[i], seen, 'MAXLEN', ARGV[1]) or -1
    end
    if #newest > 16384 then newest = '' end
  end
  out[#out + 1] = depth
  out[#out + 1] = pushed
  out[#out + 1] = tonumber(redis.call('HGET', KEYS[1], KEYS[i]) or '0')
  out[#out + 1] = newest
end
return out
