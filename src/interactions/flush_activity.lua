-- Counts what players did, and keeps their last actions. Stands behind redis/attempt.lua in front of the scripts that do.
local function new_acts() return {ids = {}, by_id = {}} end

-- Adds one player's share of a commit to the acts gathered before. count: its interactions; 0 when they are counted
-- elsewhere. mark: what orders it on leaderboard:active. keep: '1' when its cached profile is to live for another hour.
-- lines, text: so many lines, its last actions, oldest first.
local function add_act(acts, id, count, mark, keep, lines, text, actions_limit)
  local act = acts.by_id[id]
  if not act then
    act = {count = 0, keep = '0', texts = 0, lines = 0}
    acts.by_id[id], acts.ids[#acts.ids + 1] = act, id
  end
  if count > 0 then act.count, act.mark = act.count + count, mark end
  if keep == '1' then act.keep = keep end
  if lines == 0 then return end
  -- As many lines as are kept make the older ones superfluous.
  if lines >= actions_limit then act.texts, act.lines = 0, 0 end
  act.texts, act.lines = act.texts + 1, act.lines + lines
  act[act.texts] = text
end

-- Adds a commit, a text as described in activity_delta.hpp.
local function add_acts_text(acts, text, actions_limit)
  local block, at = string.match(text, '^(%d+)\n()')
  while true do
    local id, count, place, keep, lines, bytes, from = string.match(text, '^(%S+) (%d+) (%d+) (%d) (%d+) (%d+)\n()', at)
    if not id then return end
    at = from + bytes
    add_act(acts, id, tonumber(count), block .. place, keep, tonumber(lines), string.sub(text, from, at - 1), actions_limit)
  end
end

-- `world` has prefix, active (key of leaderboard:active), activity (key of the open slice), actions_limit, profile_ttl_s.
local function file_acts(world, acts)
  local call, ids, by_id, limit = redis.call, acts.ids, acts.by_id, world.actions_limit
  -- A few commands for all of them, in parts: unpack() takes less than 8,000 values.
  for first = 1, #ids, 2500 do
    local last = math.min(first + 2499, #ids)
    local totals = demand('ZMSCORE', world.active, unpack(ids, first, last))
    local in_slice = demand('HMGET', world.activity, unpack(ids, first, last))
    local scores, counts, marks, n = {}, {}, {}, 0
    for i = first, last do
      local id = ids[i]
      local act = by_id[id]
      if act.count > 0 then
        local total, here = totals[i - first + 1] or 0, tonumber(in_slice[i - first + 1]) or 0
        scores[n + 1], scores[n + 2] = string.format('%d', total + act.count), id
        counts[n + 1], counts[n + 2] = id, string.format('%d', here + act.count)
        marks[n + 1], marks[n + 2] = id, act.mark
        n = n + 2
      end
    end
    -- The keys that all players share come first: another type there ends the script before anything is filed.
    if n > 0 then
      demand('HSET', world.active .. '@moved', unpack(marks))
      call('ZADD', world.active, unpack(scores))
      call('HSET', world.activity, unpack(counts))
    end
    for i = first, last do
      local id = ids[i]
      local act = by_id[id]
      if act.keep == '1' then call('EXPIRE', world.prefix .. 'user:' .. id, world.profile_ttl_s) end
      if act.texts > 0 then
        local key = world.prefix .. 'actions:' .. id
        local kept = attempt('LPUSH', key, table.concat(act, '\n', 1, act.texts)) or 0
        -- Cut off now and then: a reader takes no more than the limit.
        if act.lines >= limit and kept > 1 then
          call('LTRIM', key, 0, 0)
        elseif kept > limit + 20 then
          call('LTRIM', key, 0, limit - 1)
        end
      end
    end
  end
end
