-- Flushes about `limit` of the attack records that are pending in one part, the oldest first.
--
-- KEYS[1] attacks:pending, their bytes   KEYS[2] attacks:pending:<part>, a list of records (flush_attacks.lua)
-- ARGV    prefix, now in ms since 1970, attack_ttl_ms, limit
-- Returns how many bytes are pending now in all, and the keys that held something else.
local limit, flushed, taken = tonumber(ARGV[4]), 0, 0
while flushed < limit do
  local records = redis.call('LINDEX', KEYS[2], 0)
  if not records then break end
  flushed = flushed + flush_attacks(ARGV[1], records, tonumber(ARGV[2]), tonumber(ARGV[3]))
  redis.call('LPOP', KEYS[2])
  taken = taken + #records
end
return {redis.call('DECRBY', KEYS[1], taken), damaged}
