-- Begins, behind redis/attempt.lua, every script that says something on a chat channel.
--
-- say(world, channel, from, text, ts, extra) appends to the history chat:<channel> and publishes the same message on the
-- channel's own name. `world` has prefix, history_limit, history_ttl_s. `extra` is '' or more members of the message as
-- JSON text, each behind a comma. Channel, from and ts need no escaping. Returns the message's id, or nil when it
-- was not said because something else stands under the history's key. What is said to
-- dm:<player_id> stands in the sender's own dm: as well, so each side holds the conversation.
local function say(world, channel, from, text, ts, extra)
  local prefix = world.prefix
  local to = string.match(channel, '^dm:(.+)$')
  if to then extra = extra .. ',"to":"' .. to .. '"' end
  local quoted = cjson.encode(text)
  local function deliver(name)
    local key = prefix .. 'chat:' .. name
    local id = attempt('XADD', key, 'MAXLEN', '~', world.history_limit, '*', 'from', from, 'text', text, 'ts', ts,
                       'extra', extra)
    if not id then return nil end
    redis.call('EXPIRE', key, world.history_ttl_s)
    local all, ms = prefix .. 'chat@channels', string.match(id, '^%d+')
    if redis.pcall('ZADD', all, ms, name) == 1 then
      redis.pcall('ZREMRANGEBYSCORE', all, '-inf', string.format('%.0f', ms - world.history_ttl_s * 1000))
      redis.pcall('ZREMRANGEBYRANK', all, 0, -10001)
    end
    redis.pcall('EXPIRE', all, world.history_ttl_s)
    redis.call('PUBLISH', prefix .. name, '{"channel":"' .. name .. '","id":"' .. id .. '","from":"' .. from ..
               '","text":' .. quoted .. ',"ts":"' .. ts .. '"' .. extra .. '}')
    return id
  end
  local id = deliver(channel)
  if id and to and to ~= from then deliver('dm:' .. from) end
  return id
end

-- 'banned', 'muted', 'damaged' (nobody can tell) or nothing. `now_ms` is the time in milliseconds since 1970.
local function silenced(world, channel, from, now_ms)
  local banned = attempt('ZSCORE', world.prefix .. 'chatbans:' .. channel, from)
  local until_ms = attempt('ZSCORE', world.prefix .. 'chatmutes:' .. channel, from)
  if banned == nil or until_ms == nil then return 'damaged' end
  if banned then return 'banned' end
  if until_ms and tonumber(until_ms) > now_ms then return 'muted' end
end
