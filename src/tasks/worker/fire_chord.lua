-- Sends what follows a complete chord and removes the chord, in one step, once.
-- KEYS: [1] chords  [2] .j  [3] .t  [4] .s  [5] .d  [6] .c
-- ARGV: [1] group id, then list, message; …     Returns 1 when it was sent, 0 when another worker had sent it.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
-- A member that runs again must not begin the chord again (the same as Celery 5.7).
redis.call('SET', KEYS[6], 'done', 'EX', 300)
for i = 2, #ARGV, 2 do redis.call('LPUSH', ARGV[i], ARGV[i + 1]) end
return 1
