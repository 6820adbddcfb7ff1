-- A page of a namespace's entries, in the order of their keys.
-- KEYS[1] state_names:<namespace>, [2] state_entries:<namespace>
-- ARGV[1] the key behind which the page begins, '' for the first page, [2] most entries
-- Returns {key, '<bytes> <version> <ends_at>', …} without those that have ended, and last the key behind which the next
-- page begins, '' on the last one.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit = tonumber(ARGV[2])
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local names = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, limit + 1)
local out = {}
for n = 1, math.min(#names, limit) do
  local said = redis.call('HGET', KEYS[2], names[n])
  if said and tonumber(string.match(said, '%d+$') or 0) > now then
    out[#out + 1] = names[n]
    out[#out + 1] = said
  end
end
out[#out + 1] = #names > limit and names[limit] or ''
return out
