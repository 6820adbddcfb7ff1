-- Takes tokens of subjects (GCRA, see gcra.hpp), in the order given; all times in microseconds.
-- KEYS    ratelimit:<policy>@<subject> of each; one may stand several times
-- ARGV[1] now; empty: this server's clock
-- ARGV    for each key the least to take, what is wanted, the whole bucket
-- Returns for each key what was granted (0: nothing), how long until the least can be had, how much room is left.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local call, ceil, format = redis.call, math.ceil, string.format
local stored, arrivals, out = call('MGET', unpack(KEYS)), {}, {}
for i, key in ipairs(KEYS) do
  local at = 3 * i
  local least, want, burst = tonumber(ARGV[at - 1]), tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local arrival = arrivals[key] or tonumber(stored[i] or 0)
  -- Not behind an empty bucket, which begins to fill now: the policy may have been another one before.
  local is_behind = arrival > now + burst
  if arrival < now then arrival = now elseif is_behind then arrival = now + burst end
  local room = now + burst - arrival
  local granted = 0
  if room >= least then
    granted = want < room and want or room
    arrival = arrival + granted
  end
  if granted > 0 or is_behind then
    call('SET', key, format('%.0f', arrival), 'PX', ceil((arrival - now) / 1000))
  end
  arrivals[key] = arrival
  out[at - 2], out[at - 1], out[at] = granted, granted > 0 and 0 or least - room, now + burst - arrival
end
return out
