-- For writes to a key that belongs to one player, pair, board or channel, which somebody may have given another type: they
-- must not end a script that writes for many. Stands in front of the scripts that do.

local redis_call, redis_pcall = redis.call, redis.pcall  -- locals are found faster

-- The keys under which something else stands, each once.
local damaged, is_damaged = {}, {}

-- redis.call(), but returns nil and notes the key when what stands there is not for this command. Other errors are thrown.
local function attempt(command, key, ...)
  local reply = redis_pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  -- The others: what should be a number is none, or would grow beyond what one can be.
  local problem = reply.err
  if not (string.find(problem, '^WRONGTYPE') or string.find(problem, '^ERR hash value is not')
          or string.find(problem, '^ERR value is not an integer') or string.find(problem, '^ERR increment or decrement would overflow')) then error(reply) end
  if not is_damaged[key] and #damaged < 20 then
    damaged[#damaged + 1], is_damaged[key] = key, true
  end
end

-- redis.call() for a key that all players share: the error names the key and what stands there.
local function demand(command, key, ...)
  local reply = redis_pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, '^WRONGTYPE') then error(reply) end
    error({err = 'ERR the key ' .. key .. ' holds a ' .. redis.call('TYPE', key).ok .. ', which is not for ' .. command})
  end
  return reply
end

-- Writes a hash that is always written as a whole; whatever else stands there is replaced.
local function put_hash(key, ttl_ms, ...)
  local reply = redis_pcall('HSET', key, ...)
  if type(reply) == 'table' then
    if not string.find(reply.err, '^WRONGTYPE') then error(reply) end
    redis_call('DEL', key)
    redis_call('HSET', key, ...)
  end
  redis_call('PEXPIRE', key, ttl_ms)
end
