-- Notes a change that is about to be made.
-- KEYS[1] audit@pending   ARGV[1] most entries, then name and value of each column
-- Returns 1; 0 when there are too many and nothing was noted.
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
return 1
