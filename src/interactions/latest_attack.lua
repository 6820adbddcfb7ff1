-- The latest attack of a pair, pending or not, by reading a small part of what is pending: its index.
--
-- KEYS    attacks:index:<part>, attacks:pending:<part>, attack:<pair>
-- ARGV    pair, as in its key; its fingerprint, four bytes (interactions_keys.hpp)
-- Returns {ms since 1970 of its commit, '<damage> <ts> <id>'} when it is pending, otherwise {'', fields and values of its hash}.
local pair, fingerprint = ARGV[1], ARGV[2]
local page, unindexed_limit = 64, 64

local function holds_fingerprint(index)
  local first = string.find(index, '\n', 1, true)
  local at = first and string.find(index, fingerprint, first + 1, true)
  while at and (at - first - 1) % 4 ~= 0 do at = string.find(index, fingerprint, at + 1, true) end
  return at
end
-- A pair is in a text once at most.
local function find_in(text)
  local at, to = string.find(text, '\n' .. pair .. ' ', 1, true)
  if at then return {string.match(text, '^%d+'), string.sub(text, to + 1, string.find(text, '\n', to, true) - 1)} end
end

local function length_of(list)
  local length = redis.pcall('LLEN', list)
  return type(length) == 'number' and length or 0
end
local count = length_of(KEYS[2])
if count ~= length_of(KEYS[1]) then
  -- Older versions write no index. While they run beside this one, the newest are looked at.
  for i = -1, -math.min(count, unindexed_limit), -1 do
    local found = find_in(redis.call('LINDEX', KEYS[2], i))
    if found then return found end
  end
else
  for last = count - 1, 0, -page do
    local first = math.max(last - page + 1, 0)
    local indexes = redis.call('LRANGE', KEYS[1], first, last)
    for k = #indexes, 1, -1 do
      local found = holds_fingerprint(indexes[k]) and find_in(redis.call('LINDEX', KEYS[2], first + k - 1))
      if found then return found end
    end
  end
end
return {'', redis.call('HGETALL', KEYS[3])}
