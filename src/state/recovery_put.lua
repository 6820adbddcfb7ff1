-- Stores a snapshot of a game server, and drops the oldest ones beyond the limit: all at once.
-- KEYS[1] recovery:<server>@<key>, [2] recovery_keys:<server>, [3] ingest:<stream> and [4] interactions, when the snapshot
--         belongs to a stream
-- ARGV key, body, type, snapshots to keep, life in ms, most keys of a server, stream, number of its frame
-- Returns {'stored', id, cursor}, or {'full'}, {'ahead', committed} (the stream has not committed that number) or
-- {'behind', number} (there is a snapshot of a later number) and stores nothing.
--
-- A line of `index`: id, created_at in ms, bytes, type, stream, number, cursor; with tabs between. `cursor` is a place in
-- the log `interactions` with everything that the snapshot's stream committed later behind it: where the log ends when
-- nothing was committed after that number, else the cursor of the snapshot before; '' for the beginning of the log.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, stream, number = ARGV[1], ARGV[7], ARGV[8]
local function fields(line)
  local out = {}
  for field in string.gmatch(line .. '\t', '([^\t]*)\t') do out[#out + 1] = field end
  return out
end
-- Lines that somebody else has written are left out.
local index, lines, is_damaged = redis.call('HGET', KEYS[1], 'index') or '', {}, false
for line in string.gmatch(index, '[^\n]+') do
  if string.match(line, '^%d+\t%d+\t%d+\t%a+\t\t%d*\t[^\t]*$') or string.match(line, '^%d+\t%d+\t%d+\t%a+\t[^\t]+\t%d+\t[^\t]*$') then
    lines[#lines + 1] = line
  else
    is_damaged = true
  end
end
local newest = lines[1] and fields(lines[1])

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if not redis.call('ZSCORE', KEYS[2], key) and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then return {'full'} end

local cursor = ''
if stream ~= '' then
  local committed = tonumber(string.match(redis.call('GET', KEYS[3]) or '', '^%d+') or 0)
  if tonumber(number) > committed then return {'ahead', string.format('%.0f', committed)} end
  local follows = newest and newest[5] == stream
  if follows and tonumber(newest[6]) > tonumber(number) then return {'behind', newest[6]} end
  if tonumber(number) == committed then
    local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)[1]
    if last then
      local said = {}
      for n = 1, #last[2], 2 do said[last[2][n]] = last[2][n + 1] end
      cursor = last[1] .. '.' .. (string.match(said['n'] or '', '^%d+$') or '0')
    end
  elseif follows then
    cursor = newest[7]
  end
end

local id = math.max(time[1] * 1000000 + time[2], newest and tonumber(newest[1]) + 1 or 0)
id = string.format('%.0f', id)
local line = table.concat({id, string.format('%.0f', now), #ARGV[2], ARGV[3], stream, number, cursor}, '\t')
table.insert(lines, 1, line)
while #lines > tonumber(ARGV[4]) do redis.call('HDEL', KEYS[1], 'body:' .. fields(table.remove(lines))[1]) end
if is_damaged then
  -- The bodies of what was left out go, too.
  local kept = {}
  for _, known in ipairs(lines) do kept['body:' .. fields(known)[1]] = true end
  for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    if not kept[name] then redis.call('HDEL', KEYS[1], name) end
  end
end
redis.call('HSET', KEYS[1], 'body:' .. id, ARGV[2], 'index', table.concat(lines, '\n'))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[5]), key)
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'stored', id, cursor}
