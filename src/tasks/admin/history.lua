-- Records task events. Each index is a sorted set of task ids by the time of their last event. What people search by text
-- (ids, arguments) stands in blocks of 256 lines, "<id>\t<arguments in lower case>\n", in the order in which tasks were
-- first seen.
-- KEYS: [1] prefix of the history's keys
-- ARGV: [1] how many tasks are kept  [2] for how many seconds after their last event
--       then for each event: id, time (seconds), state, number of fields, field, value, …
-- Returns how many tasks are kept.
local prefix = KEYS[1]
local touched = {}
local function add(index, time, id)
  redis.call('ZADD', prefix .. index, time, id)
  touched[index] = true
end

local lines_per_block = 256
local blocks = redis.call('HMGET', prefix .. 'texts', 'first', 'last', 'lines')
local first, last, lines = tonumber(blocks[1] or 1), tonumber(blocks[2] or 1), tonumber(blocks[3] or 0)
local fresh, newest = {}, 0
local function write_lines()
  if #fresh == 0 then return end
  local key = prefix .. 'text:' .. last
  redis.call('APPEND', key, table.concat(fresh))
  redis.call('EXPIRE', key, ARGV[2])
  redis.call('HSET', prefix .. 'texts', 'first', first, 'last', last, 'lines', lines, 'at:' .. last, newest)
  redis.call('EXPIRE', prefix .. 'texts', ARGV[2])
  fresh = {}
end
local function add_line(id, time, args, kwargs)
  if string.find(id, '[\n\t]') then return end
  if lines >= lines_per_block then
    write_lines()
    last, lines, newest = last + 1, 0, 0
  end
  local text = string.lower(string.sub((args or '') .. ' ' .. (kwargs or ''), 1, 2048))
  fresh[#fresh + 1] = id .. '\t' .. string.gsub(text, '[\n\t]', ' ') .. '\n'
  lines = lines + 1
  newest = math.max(newest, tonumber(time))
end

-- Removes a task from all but the texts.
local function forget(id)
  local key = prefix .. 'task:' .. id
  local old = redis.call('HMGET', key, 'state', 'name', 'worker', 'root_id')
  if old[1] then redis.call('ZREM', prefix .. 'state:' .. old[1], id) end
  if old[2] then redis.call('ZREM', prefix .. 'name:' .. old[2], id) end
  if old[3] then redis.call('ZREM', prefix .. 'worker:' .. old[3], id) end
  if old[4] and old[4] ~= id then redis.call('ZREM', prefix .. 'root:' .. old[4], id) end
  redis.call('ZREM', prefix .. 'all', id)
  redis.call('DEL', key, prefix .. 'message:' .. id)
end

local at = 3
while at <= #ARGV do
  local id, time, state, fields = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local key = prefix .. 'task:' .. id
  local old = redis.call('HMGET', key, 'state', 'name', 'worker', 'args')
  local words, args, kwargs, root = {}, nil, nil, nil
  for i = 1, fields * 2, 2 do
    local field, value = ARGV[at + i - 1], ARGV[at + i]
    words[i], words[i + 1] = field, value
    if field == 'args' then args = value end
    if field == 'kwargs' then kwargs = value end
    if field == 'root_id' then root = value end
  end
  at = at + fields * 2
  if not old[1] or (args and not old[4]) then add_line(id, time, args, kwargs) end
  -- Events of one task may arrive out of order: a final state is not overwritten.
  local ended = old[1] == 'SUCCESS' or old[1] == 'FAILURE' or old[1] == 'REVOKED' or old[1] == 'REJECTED'
  if not (ended and (state == 'RECEIVED' or state == 'STARTED' or state == 'PENDING')) then
    if old[1] and old[1] ~= state then redis.call('ZREM', prefix .. 'state:' .. old[1], id) end
    words[#words + 1] = 'state'
    words[#words + 1] = state
    add('state:' .. state, time, id)
  elseif old[1] then
    add('state:' .. old[1], time, id)
  end
  if #words > 0 then redis.call('HSET', key, unpack(words)) end
  redis.call('EXPIRE', key, ARGV[2])
  local new = redis.call('HMGET', key, 'name', 'worker')
  add('all', time, id)
  if new[1] then add('name:' .. new[1], time, id) end
  if new[2] then add('worker:' .. new[2], time, id) end
  -- A retry may run elsewhere.
  if old[3] and old[3] ~= new[2] then redis.call('ZREM', prefix .. 'worker:' .. old[3], id) end
  if root and root ~= id and redis.call('ZCARD', prefix .. 'root:' .. root) < 2000 then
    add('root:' .. root, time, id)
  end
end
write_lines()

-- Expired tasks are removed from the indexes. An index without additions expires as a whole.
local oldest = tonumber(redis.call('TIME')[1]) - tonumber(ARGV[2])
for index in pairs(touched) do
  local key = prefix .. index
  local expired = redis.call('ZRANGEBYSCORE', key, '-inf', oldest, 'LIMIT', 0, 1000)
  if #expired > 0 then redis.call('ZREM', key, unpack(expired)) end
  redis.call('EXPIRE', key, ARGV[2])
end
local surplus = redis.call('ZCARD', prefix .. 'all') - tonumber(ARGV[1])
if surplus > 0 then
  for _, id in ipairs(redis.call('ZRANGE', prefix .. 'all', 0, math.min(surplus, 500) - 1)) do forget(id) end
end
-- A block goes when all its tasks were seen first an hour before the oldest one's last event, or when there are twice as
-- many lines as tasks may be kept.
local blocks_limit = math.ceil(2 * tonumber(ARGV[1]) / lines_per_block) + 1
local kept_since = redis.call('ZRANGE', prefix .. 'all', 0, 0, 'WITHSCORES')[2]
local removed = 0
while first < last and removed < 10 do
  local when = tonumber(redis.call('HGET', prefix .. 'texts', 'at:' .. first) or '0')
  if last - first < blocks_limit and when >= tonumber(kept_since or 0) - 3600 then break end
  redis.call('UNLINK', prefix .. 'text:' .. first)
  redis.call('HDEL', prefix .. 'texts', 'at:' .. first)
  first = first + 1
  removed = removed + 1
end
if removed > 0 then redis.call('HSET', prefix .. 'texts', 'first', first) end
return redis.call('ZCARD', prefix .. 'all')
