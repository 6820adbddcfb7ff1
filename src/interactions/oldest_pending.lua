-- When the oldest attack record that is pending was committed (flush_attacks.lua), in ms since 1970; false when none is.
--
-- KEYS    attacks:pending:<part>, the parts
local oldest = false
for _, part in ipairs(KEYS) do
  local records = redis.pcall('LINDEX', part, 0)
  local committed = type(records) == 'string' and tonumber(string.match(records, '^%d+'))
  if committed and (not oldest or committed < oldest) then oldest = committed end
end
return oldest and string.format('%.0f', oldest)
