-- Caches popular levels, all at once, and says which of them were not cached so before. Stands behind chat/deliver.lua.
-- KEYS lease:popular   ARGV token, prefix, now, history_limit, history_ttl_s, ttl_s, count (of popular levels),
--                      '1' when the token must hold the lease, '1' to change nothing when a level was changed meanwhile,
--                      then level, name, JSON for each
-- A level is stored only while cache:load:level:<level> has the token, as every load of the cache does it: a change
-- since the levels were read has deleted it. levels:cached, a set, holds those that are popular and were announced.
-- Returns 'done'; 'again' when a level was changed meanwhile; 'led' when the token does not hold the lease (any more)
local call = redis.call
if ARGV[8] == '1' and call('GET', KEYS[1]) ~= ARGV[1] then return 'led' end
local world = {prefix = ARGV[2], now = ARGV[3], history_limit = ARGV[4], history_ttl_s = ARGV[5]}
local prefix, first = world.prefix, 10
local cached = prefix .. 'levels:cached'
local function is_unchanged(level) return redis.pcall('GET', prefix .. 'cache:load:level:' .. level) == ARGV[1] end

if ARGV[9] == '1' then
  for i = first, #ARGV, 3 do
    if not is_unchanged(ARGV[i]) then return 'again' end
  end
end

if type(redis.pcall('SCARD', cached)) == 'table' then call('DEL', cached) end
local is_popular = {}
for _, level in ipairs(call('ZREVRANGEBYSCORE', prefix .. 'levels:popular', '+inf', 1, 'LIMIT', 0, ARGV[7])) do
  is_popular[level] = true
end
for _, level in ipairs(call('SMEMBERS', cached)) do
  if not is_popular[level] then call('SREM', cached, level) end
end

local outcome = 'done'
for i = first, #ARGV, 3 do
  local level, name, text = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if not is_unchanged(level) then
    outcome = 'again'
  elseif is_popular[level] then
    local key = prefix .. 'level:' .. level
    local is_same = redis.pcall('GET', key) == text
    call('SET', key, text, 'EX', ARGV[6])
    call('DEL', prefix .. 'cache:load:level:' .. level)
    if call('SADD', cached, level) == 1 or not is_same then
      say(world, 'cache', 'skirmish', 'popular level cached: ' .. name, world.now,
          ',"event":"popular_refresh","levels":["' .. level .. '"]')
    end
  else
    call('DEL', prefix .. 'cache:load:level:' .. level)
  end
end
return outcome
