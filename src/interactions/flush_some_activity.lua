-- Flushes the totals of some players of acts:filing, the next ones: all of these and once.
--
-- KEYS    acts:filing, acts:filed, acts:bytes (take_pending_activity.lua)
-- ARGV    prefix, slice, slice_length_s, actions_limit, profile_ttl_s, how many players have been flushed before these,
--         '' or the bytes of acts:filing when these are the last, then for each player_id, count, mark, keep, lines, text
-- Returns {1, keys that hold something else}, or {0, {}} when others are the next: somebody else has flushed these.
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HGET', KEYS[2], 'players') ~= ARGV[6] then return {0, {}} end
local world = activity_world(ARGV)
local totals = new_totals()
for i = 8, #ARGV, 6 do
  add_delta(totals, ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4]), ARGV[i + 5],
          world.actions_limit)
end
flush_activity(world, totals)
redis.call('HINCRBY', KEYS[2], 'players', #totals.ids)
if ARGV[7] ~= '' then
  redis.call('UNLINK', KEYS[1])
  redis.call('HDEL', KEYS[2], 'since')  -- older versions set none for the next
  if redis.call('DECRBY', KEYS[3], ARGV[7]) == 0 then redis.call('DEL', KEYS[3]) end
end
return {1, damaged}
