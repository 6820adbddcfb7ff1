-- Writes records of the latest attacks of pairs under their own keys. Stands in front of the scripts that do.
--
-- `records` begins with a line of its own, when their commit was made in ms since 1970. Then comes a line for each:
-- '<attacker_id>:<target_id> <damage> <ts> <id>'. A record lives `ttl` ms from its commit on; `now` is the present, by the
-- same kind of clock. Returns how many there were.
local function file_attacks(prefix, records, now, ttl)
  local left, count = ttl - (now - string.match(records, '^%d+')), 0
  local ms = string.format('%.0f', left)
  for pair, damage, ts, id in string.gmatch(records, '(%S+) (%S+) (%S+) ([^\n]*)\n') do
    if left > 0 then
      local key = prefix .. 'attack:' .. pair
      redis.call('HSET', key, 'id', id, 'damage', damage, 'ts', ts)
      redis.call('PEXPIRE', key, ms)
    end
    count = count + 1
  end
  return count
end
