-- Takes back what admit_login.lua counted: the attempt was good.
-- KEYS as there   ARGV[1] how long the address is known for this account, ms; 0: it is not
-- Returns 1.
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HINCRBY', KEYS[2], 'failures', -1)
  redis.call('HDEL', KEYS[2], 'next_at')
end
if ARGV[1] ~= '0' then redis.call('SET', KEYS[3], 1, 'PX', ARGV[1]) end
return 1
