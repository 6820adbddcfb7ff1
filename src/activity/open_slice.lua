-- Where a commit counts its interactions. Stands behind redis/attempt.lua in front of the script of the commit.
--
-- `start` and `length` (seconds) are the slice by the clock of the server that commits. Closed slices take nothing
-- any more, so what comes late (a commit sent again, a server whose clock is behind) counts in the slice that is open
-- now. Returns the key of the hash player → interactions. `events` is how many the commit has, for the total that
-- subscribers of the channel `activity` are told.
local function open_slice(prefix, start, length, events)
  local closed = tonumber(demand('GET', prefix .. 'activity:closed') or 0)
  start = math.max(tonumber(start), closed)
  local name = string.format('%.0f', start)
  -- GT: servers may slice time differently for a while, after the setting was changed.
  demand('HLEN', prefix .. 'activity:' .. name)
  demand('ZADD', prefix .. 'activity:open', 'GT', string.format('%.0f', start + tonumber(length)), name)
  demand('INCRBY', prefix .. 'activity:events', events)
  return prefix .. 'activity:' .. name
end
