-- One worker cycle: writes what ended, and claims what is about to start, in one step.
-- KEYS: [1] unacked  [2] unacked_index  [3] running:<instance>  [4] worker:<instance>  [5] history:message
-- ARGV: the cycle's number: a cycle that is sent again because its reply was lost changes nothing and returns the same.
--   Then sections, each of which begins with its count:
--   early    tag, record: tasks that are acknowledged now because they start; `record` is kept in running:<instance>
--            until the task has ended ('': no record)
--   late     tag: tasks that start and stay held; their start is recorded in running:<instance>
--   ended    tag: tasks that ended; their record is removed
--   acks     tag: held until now
--   pushes   list, message
--   deletes  key
--   results  key, TTL in seconds (0: none), value: stored and published unless a SUCCESS is stored there
--   failed   id, message: kept for 7 days, so that an operator can send it again; the last 20,000
-- Returns the 0-based positions (early first, then late) of tasks that are no longer held by this worker: they must not
-- start.
local cycle = ARGV[1]
local known = redis.call('HMGET', KEYS[4], 'cycle', 'lost')
if known[1] == cycle then
  local answer = {}
  for position in string.gmatch(known[2], '%d+') do answer[#answer + 1] = tonumber(position) end
  return answer
end

local at = 2
local function number()
  at = at + 1
  return tonumber(ARGV[at - 1])
end
local function take(n)
  local part = {}
  for i = 1, n do part[i] = ARGV[at + i - 1] end
  at = at + n
  return part
end
local function in_parts(command, key, items)
  for from = 1, #items, 1000 do
    redis.call(command, key, unpack(items, from, math.min(from + 999, #items)))
  end
end

local lost = {}
local early, records, early_count = {}, {}, number()
if early_count > 0 then
  for i = 1, early_count do
    early[i] = ARGV[at]
    records[i] = ARGV[at + 1]
    at = at + 2
  end
  local mine, kept = {}, {}
  for from = 1, early_count, 1000 do
    local scores = redis.call('ZMSCORE', KEYS[2], unpack(early, from, math.min(from + 999, early_count)))
    for i = 1, #scores do
      local k = from + i - 1
      if scores[i] then
        mine[#mine + 1] = early[k]
        if records[k] ~= '' then
          kept[#kept + 1] = early[k]
          kept[#kept + 1] = records[k]
        end
      else
        lost[#lost + 1] = k - 1
      end
    end
  end
  in_parts('ZREM', KEYS[2], mine)
  in_parts('HDEL', KEYS[1], mine)
  in_parts('HSET', KEYS[3], kept)
end
local late, begun = take(number()), {}
for i = 1, #late do
  if redis.call('ZSCORE', KEYS[2], late[i]) then
    begun[#begun + 1] = late[i]
    begun[#begun + 1] = ''
  else
    lost[#lost + 1] = early_count + i - 1
  end
end
in_parts('HSET', KEYS[3], begun)
in_parts('HDEL', KEYS[3], take(number()))
local acks = take(number())
in_parts('ZREM', KEYS[2], acks)
in_parts('HDEL', KEYS[1], acks)
for _ = 1, number() do
  redis.call('LPUSH', ARGV[at], ARGV[at + 1])
  at = at + 2
end
local deletes = take(number())
if #deletes > 0 then redis.call('DEL', unpack(deletes)) end
for _ = 1, number() do
  local key, ttl, value = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  at = at + 3
  local fresh
  if ttl == '0' then
    fresh = redis.call('SET', key, value, 'NX')
  else
    fresh = redis.call('SET', key, value, 'EX', ttl, 'NX')
  end
  if not fresh then
    -- There is an earlier state of the task, or the result of an earlier run.
    local old = redis.call('GET', key)
    fresh = not old or not string.find(string.sub(old, 1, 40), '"status": ?"SUCCESS"')
    if fresh then
      redis.call('SET', key, value)
      if ttl ~= '0' then redis.call('EXPIRE', key, ttl) end
    end
  end
  if fresh then redis.call('PUBLISH', key, value) end
end
for _ = 1, number() do
  local key = KEYS[5] .. ':' .. ARGV[at]
  if not redis.call('SET', key, ARGV[at + 1], 'EX', 604800, 'NX') then
    redis.call('SET', key, ARGV[at + 1], 'EX', 604800)
  elseif redis.call('LPUSH', KEYS[5] .. 's', ARGV[at]) > 20000 then
    redis.call('DEL', KEYS[5] .. ':' .. redis.call('RPOP', KEYS[5] .. 's'))
  end
  at = at + 2
end
redis.call('HSET', KEYS[4], 'cycle', cycle, 'lost', table.concat(lost, ','))
return lost
