-- Moves last actions from the name they had before.
-- KEYS[1] player:<player_id>:actions, the old name   KEYS[2] actions:<player_id>
-- Returns 1, or 0 when there are none under the old name (it may be the state of a player that is called like it).
if redis.call('TYPE', KEYS[1]).ok ~= 'list' then return 0 end
-- Newer ones may be there already: newest first.
if redis.call('TYPE', KEYS[2]).ok == 'list' then
  for _, text in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do redis.call('RPUSH', KEYS[2], text) end
  redis.call('UNLINK', KEYS[1])
else
  redis.call('RENAME', KEYS[1], KEYS[2])
end
return 1
