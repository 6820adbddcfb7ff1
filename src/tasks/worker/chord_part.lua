-- One member of a chord has ended.
-- KEYS: [1] .j (parts)  [2] .t (size correction)  [3] .s (size)  [4] chords
--       [5] celery-taskset-meta-<gid>: the saved group, if a member ends in a group
--       [6] .d (members that were counted)  [7] .c (who sends the body, then "done"); both since Celery 5.7
-- ARGV: [1] score: the member's index or +inf  [2] part  [3] TTL in seconds  [4] group id  [5] how to send the
--       chord's body: JSON, kept under the group id until it has been sent  [6] the member's id
-- Returns the parts in order when the chord is complete, else {}. Distinct members are counted, so repeating a part is
-- harmless.
local claim = redis.call('GET', KEYS[7])
if claim == 'done' then return {} end
-- Older Celery versions do not remove .d, so it is only extended where a newer one has created it.
local member = ARGV[6] .. ':' .. ARGV[1]
if redis.call('SISMEMBER', KEYS[6], member) == 0 then
  redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
  if redis.call('EXISTS', KEYS[6]) == 1 then redis.call('SADD', KEYS[6], member) end
end
local count = redis.call('ZCARD', KEYS[1])
local correction = redis.call('GET', KEYS[2])
local size = redis.call('GET', KEYS[3])
for _, key in ipairs({ KEYS[1], KEYS[2], KEYS[3], KEYS[6] }) do redis.call('EXPIRE', key, ARGV[3]) end
if not size then return {} end
-- A Python worker that starts the group in which a member ends overwrites the chord's size with the size of that group.
local saved = redis.call('GET', KEYS[5])
if saved then
  local function leaves(of)
    if type(of[2]) ~= 'table' then return 1 end
    local sum = 0
    for _, member in ipairs(of[2]) do sum = sum + leaves(member) end
    return sum
  end
  local read, group = pcall(cjson.decode, saved)
  local counted, sum = pcall(function() return leaves(group.result) end)
  if read and counted then size = sum end
end
if count ~= tonumber(size) + tonumber(correction or 0) then return {} end
-- A Python worker may be sending the body right now.
if claim then return {} end
if redis.call('HSETNX', KEYS[4], ARGV[4], ARGV[5]) == 0 then return {} end
redis.call('SET', KEYS[7], 'skirmish', 'EX', 300)
return redis.call('ZRANGE', KEYS[1], 0, -1)
