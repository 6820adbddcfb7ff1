-- What the scripts of temporary state share; stands in front of them. They have
-- KEYS[1] state:<namespace>@<key>, [2] state_entries:<namespace>, [3] state_names:<namespace>, [4] state_ends:<namespace>

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The number at the beginning of a field of the index; 0 when somebody else has written something there.
local function number_of(field) return tonumber(string.match(redis.call('HGET', KEYS[2], field) or '', '^%d+') or 0) end

local function count_bytes(change)
  redis.call('HSET', KEYS[2], '@bytes', string.format('%.0f', math.max(number_of('@bytes') + change, 0)))
end

-- Takes a key out of the index and gives its quota back.
local function leave_index(key)
  if redis.call('HEXISTS', KEYS[2], key) == 1 then
    count_bytes(-number_of(key))
    redis.call('HDEL', KEYS[2], key)
  end
  redis.call('ZREM', KEYS[3], key)
  redis.call('ZREM', KEYS[4], key)
end

-- Takes at most 100 keys that have ended out of the index; returns how many.
local function drop_ended()
  local ended = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 100)
  for _, key in ipairs(ended) do leave_index(key) end
  return #ended
end

-- The version of what stands there, '' when nothing does; and whether it is as If-Match ('' for none, '*' or a version)
-- and If-None-Match ('' or '*') ask.
local function look(if_match, if_none_match)
  local version = redis.call('HGET', KEYS[1], 'version') or ''
  if if_none_match == '*' and version ~= '' then return version, false end
  if if_match == '*' then return version, version ~= '' end
  return version, if_match == '' or if_match == version
end
