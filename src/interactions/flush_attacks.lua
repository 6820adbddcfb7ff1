-- Writes records of the latest attacks of pairs under their own keys. Stands behind redis/attempt.lua in front of the scripts
-- that do.
--
-- `records` begins with a line of its own, when their commit was made in ms since 1970. Then comes a line for each:
-- '<pair> <damage> <ts> <id>', the pair as in its key (interactions_keys.hpp). A record lives `ttl` ms from its commit on; `now` is the present, by the
-- same kind of clock. Returns how many there were.
local function flush_attacks(prefix, records, now, ttl)
  local committed, count = string.match(records, '^%d+'), 0
  local left = ttl - (now - (committed or 0))
  local ms = string.format('%.0f', left)
  for pair, damage, ts, id in string.gmatch(records, '(%S+) (%S+) (%S+) ([^\n]*)\n') do
    if left > 0 then
      put_hash(prefix .. 'attack:' .. pair, ms, 'id', id, 'damage', damage, 'ts', ts)
    end
    count = count + 1
  end
  return count
end
