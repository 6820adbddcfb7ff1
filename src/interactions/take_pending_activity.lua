-- Begins to flush the activity that is pending: few at once, many by moving them to acts:filing.
--
-- KEYS    acts:pending, acts:filing, lists of texts (activity_delta.hpp); acts:filed, a hash: `players`, how many have been
--         flushed ever, and `first`, how many had when acts:filing was made; acts:bytes, how long the texts are in all; acts:since,
--         when the oldest of acts:pending was committed, in ms since 1970, and `since` in acts:filed when that of acts:filing was
-- ARGV    prefix, slice, slice_length_s, actions_limit, profile_ttl_s, few (bytes)
-- Returns {{first, players, since}, {}}, or, when there is no acts:filing, {{}, keys that hold something else}.
if redis.call('EXISTS', KEYS[2]) == 0 then
  if redis.call('EXISTS', KEYS[1]) == 0 then return {{}, {}} end
  if tonumber(redis.call('GET', KEYS[4]) or 0) <= tonumber(ARGV[6]) then
    local world = activity_world(ARGV)
    local totals = new_totals()
    for _, text in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do add_deltas(totals, text, world.actions_limit) end
    flush_activity(world, totals)
    redis.call('DEL', KEYS[1], KEYS[4], KEYS[5])
    return {{}, damaged}
  end
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[3], 'first', redis.call('HINCRBY', KEYS[3], 'players', 0), 'since', redis.call('GET', KEYS[5]) or '')
  redis.call('DEL', KEYS[5])
end
return {redis.call('HMGET', KEYS[3], 'first', 'players', 'since'), {}}
