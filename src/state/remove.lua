-- Removes an entry. Stands behind index.lua.
-- KEYS as there   ARGV key, If-Match
-- Returns 'removed', 'missing' or 'changed'.
local version, fits = look(ARGV[2], '')
if version == '' then return 'missing' end
if not fits then return 'changed' end
redis.call('DEL', KEYS[1])
leave_index(ARGV[1])
return 'removed'
