-- Takes tokens of one subject (GCRA, see gcra.hpp), all times in microseconds.
-- KEYS[1] ratelimit:<policy>@<subject>
-- ARGV[1] the least to take, [2] what is wanted, [3] the whole bucket, [4] now; empty: this server's clock
-- Returns what was granted (0: nothing), how long until the least can be had, how much room is left.
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local least, want, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local room = now + burst - arrival
if room < least then return {0, least - room, math.max(room, 0)} end
local granted = math.min(want, room)
arrival = arrival + granted
redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
return {granted, 0, room - granted}
