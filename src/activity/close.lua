-- Closes the slices that start before a second.
-- KEYS[1] activity:closed   ARGV[1] the second
if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
