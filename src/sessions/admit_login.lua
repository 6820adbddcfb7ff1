-- Decides whether an attempt to log in may be made now, and counts it as failed until clear_login.lua says otherwise,
-- so that attempts side by side count too.
-- KEYS[1] login:<account>, [2] login_address:<address>, [3] login_known:<account>@<address>
-- ARGV[1] now in ms, [2] failures without a wait for an account, [3] the same for an address, [4] longest wait in ms,
--      [5] how long failures are remembered, ms
-- Returns 0 when it may, else how many ms to wait. An address from which the account has logged in before does not wait
-- for what others have tried.
local now, longest, memory = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
local function missing(key)
  return math.max(0, tonumber(redis.call('HGET', key, 'next_at') or 0) - now)
end
local wait = missing(KEYS[2])
local known = redis.call('EXISTS', KEYS[3]) == 1
if not known then wait = math.max(wait, missing(KEYS[1])) end
if wait > 0 then return wait end

local function count(key, free)
  local failures = redis.call('HINCRBY', key, 'failures', 1)
  if failures >= free then
    local pause = math.min(longest, 1000 * 2 ^ math.min(failures - free, 20))
    redis.call('HSET', key, 'next_at', string.format('%.0f', now + pause))
  end
  redis.call('PEXPIRE', key, memory)
end
if not known then count(KEYS[1], tonumber(ARGV[2])) end
count(KEYS[2], tonumber(ARGV[3]))
return 0
