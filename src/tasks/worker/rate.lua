-- Generic cell rate algorithm (ITU-T I.371, Annex A): how many tasks of a name may start now?
-- KEYS: [1] rate:<task>   ARGV: [1] seconds between two starts  [2] how many are wanted
-- Returns {how many may start, milliseconds until the next may start}.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local interval = tonumber(ARGV[1])
local next_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local granted = 0
while granted < tonumber(ARGV[2]) and next_at <= now + 0.0005 do
  next_at = next_at + interval
  granted = granted + 1
end
if granted > 0 then
  redis.call('SET', KEYS[1], string.format('%.6f', next_at), 'PX', math.ceil((next_at - now) * 1000) + 1)
end
return {granted, math.ceil((next_at - now) * 1000)}
