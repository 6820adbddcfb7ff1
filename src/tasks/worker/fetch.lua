-- Fetches messages and records them as held, in one step, so that a crash afterwards loses nothing.
-- KEYS: [1] unacked  [2] unacked_index  [3] paused queues  [4] fetched: how many each list gave  [5…] the lists, in the
--       order of serving: for each priority step, each queue
-- ARGV: [1] how many at most  [2] prefix of the tags  [3] number of the last tag given  [4] queues per step
--       [5…] for each queue, its share: how many it may give before all queues of the step have been asked
--       […] for each list, the queue's name as JSON text
-- Returns for each list that gave messages: its 0-based position, {message, …}, and the number of the first tag. When
-- fewer were found than asked for, all lists have been read (EXISTS), so that client tracking reports the next arrival.
local want = tonumber(ARGV[1])
local seq = tonumber(ARGV[3])
local width = tonumber(ARGV[4])
local names = 4 + width
local first = 5
local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])
local paused = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[3])) do paused['"' .. name .. '"'] = true end
local out = {}

local function take(position, limit)
  local got = redis.call('RPOP', KEYS[first + position], limit)
  if not got or #got == 0 then return 0 end
  local tail = ', "", ' .. ARGV[names + 1 + position] .. ']'
  local fields, scores = {}, {}
  local from = seq + 1
  for i = 1, #got do
    seq = seq + 1
    local tag = ARGV[2] .. string.format('%d', seq)
    local body = got[i]
    -- Python's workers crash when they restore something that is not an object.
    if string.byte(body, 1) ~= 123 or string.byte(body, -1) ~= 125 then body = '{}' end
    fields[2 * i - 1] = tag
    fields[2 * i] = '[' .. body .. tail
    scores[2 * i - 1] = now
    scores[2 * i] = tag
  end
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('ZADD', KEYS[2], unpack(scores))
  redis.call('HINCRBY', KEYS[4], KEYS[first + position], #got)
  out[#out + 1] = position
  out[#out + 1] = got
  out[#out + 1] = from
  return #got
end

local lists = #KEYS - first + 1
for step = 0, lists - 1, width do
  for round = 1, 2 do
    for i = step, step + width - 1 do
      if want <= 0 then return out end
      local share = tonumber(ARGV[5 + i - step])
      local limit = round == 1 and share or 1000
      if limit > 0 and not paused[ARGV[names + 1 + i]] and (round == 1 or share < 1000) then
        want = want - take(i, math.min(want, limit, 1000))
      end
    end
  end
end
if want > 0 then
  for i = 0, lists - 1 do redis.call('EXISTS', KEYS[first + i]) end
end
return out
