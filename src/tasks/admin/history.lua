-- Records task events. Each index is a sorted set of task ids by the time of their last event.
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
local at = 3
while at <= #ARGV do
  local id, time, state, fields = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local key = prefix .. 'task:' .. id
  local old = redis.call('HMGET', key, 'state', 'name', 'worker')
  local words = {}
  for i = 1, fields * 2 do words[i] = ARGV[at + i - 1] end
  at = at + fields * 2
  -- Events of one task may arrive out of order: a final state is not overwritten.
  local ended = old[1] == 'SUCCESS' or old[1] == 'FAILURE' or old[1] == 'REVOKED' or old[1] == 'REJECTED'
  if not (ended and (state == 'RECEIVED' or state == 'STARTED' or state == 'PENDING')) then
    if old[1] and old[1] ~= state then redis.call('ZREM', prefix .. 'state:' .. old[1], id) end
    words[#words + 1] = 'state'
    words[#words + 1] = state
    add('state:' .. state, time, id)
  end
  if #words > 0 then redis.call('HSET', key, unpack(words)) end
  redis.call('EXPIRE', key, ARGV[2])
  local new = redis.call('HMGET', key, 'name', 'worker')
  add('all', time, id)
  if new[1] then add('name:' .. new[1], time, id) end
  if new[2] then add('worker:' .. new[2], time, id) end
  -- A retry may run elsewhere.
  if old[3] and old[3] ~= new[2] then redis.call('ZREM', prefix .. 'worker:' .. old[3], id) end
end
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
  for _, id in ipairs(redis.call('ZRANGE', prefix .. 'all', 0, math.min(surplus, 500) - 1)) do
    local key = prefix .. 'task:' .. id
    local old = redis.call('HMGET', key, 'state', 'name', 'worker')
    if old[1] then redis.call('ZREM', prefix .. 'state:' .. old[1], id) end
    if old[2] then redis.call('ZREM', prefix .. 'name:' .. old[2], id) end
    if old[3] then redis.call('ZREM', prefix .. 'worker:' .. old[3], id) end
    redis.call('ZREM', prefix .. 'all', id)
    redis.call('DEL', key)
  end
end
return redis.call('ZCARD', prefix .. 'all')
