-- Publishes a message unless one with the same deduplication key is remembered.
-- KEYS: [1] once:<key>  [2] list   ARGV: [1] task id, or a text that begins with it  [2] milliseconds to remember it  [3] message
-- Returns the given text, or that of the earlier message.
if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then
  redis.call('LPUSH', KEYS[2], ARGV[3])
  return ARGV[1]
end
return redis.call('GET', KEYS[1])
