-- Adds activity totals of players to the board `active` and the open slice, and keeps their last actions. Stands behind
-- redis/attempt.lua in front of the scripts that do.
local function new_totals() return {ids = {}, by_id = {}} end

-- Adds one player's delta of a commit to its total. count: its interactions; 0 when they are counted
-- elsewhere. mark: what orders it on leaderboard:active. keep: '1' when its cached profile is to live for another hour.
-- lines, text: so many lines, its last actions, oldest first.
local function add_delta(totals, id, count, mark, keep, lines, text, actions_limit)
  local total = totals.by_id[id]
  if not total then
    total = {count = 0, keep = '0', texts = 0, lines = 0}
    totals.by_id[id], totals.ids[#totals.ids + 1] = total, id
  end
  if count > 0 then total.count, total.mark = total.count + count, mark end
  if keep == '1' then total.keep = keep end
  if lines == 0 then return end
  -- As many lines as are kept make the older ones superfluous.
  if lines >= actions_limit then total.texts, total.lines = 0, 0 end
  total.texts, total.lines = total.texts + 1, total.lines + lines
  total[total.texts] = text
end

-- Adds a commit, a text as described in activity_delta.hpp.
local function add_deltas(totals, text, actions_limit)
  local block, at = string.match(text, '^(%d+)\n()')
  while true do
    local id, count, place, keep, lines, bytes, from = string.match(text, '^(%S+) (%d+) (%d+) (%d) (%d+) (%d+)\n()', at)
    if not id then return end
    at = from + bytes
    add_delta(totals, id, tonumber(count), block .. place, keep, tonumber(lines), string.sub(text, from, at - 1), actions_limit)
  end
end

-- `world` has prefix, active (key of leaderboard:active), activity (key of the open slice), actions_limit, profile_ttl_s.
local function flush_activity(world, totals)
  local call, ids, by_id, limit = redis.call, totals.ids, totals.by_id, world.actions_limit
  -- A few commands for all of them, in parts: unpack() takes less than 8,000 values.
  for first = 1, #ids, 2500 do
    local last = math.min(first + 2499, #ids)
    local scores_before = demand('ZMSCORE', world.active, unpack(ids, first, last))
    local in_slice = demand('HMGET', world.activity, unpack(ids, first, last))
    local scores, counts, marks, n = {}, {}, {}, 0
    for i = first, last do
      local id = ids[i]
      local total = by_id[id]
      if total.count > 0 then
        local score, here = scores_before[i - first + 1] or 0, tonumber(in_slice[i - first + 1]) or 0
        scores[n + 1], scores[n + 2] = string.format('%d', score + total.count), id
        counts[n + 1], counts[n + 2] = id, string.format('%d', here + total.count)
        marks[n + 1], marks[n + 2] = id, total.mark
        n = n + 2
      end
    end
    -- The keys that all players share come first: another type there ends the script before anything is written.
    if n > 0 then
      demand('HSET', world.active .. '@moved', unpack(marks))
      call('ZADD', world.active, unpack(scores))
      call('HSET', world.activity, unpack(counts))
    end
    for i = first, last do
      local id = ids[i]
      local total = by_id[id]
      if total.keep == '1' then call('EXPIRE', world.prefix .. 'user:' .. id, world.profile_ttl_s) end
      if total.texts > 0 then
        local key = world.prefix .. 'actions:' .. id
        local kept = attempt('LPUSH', key, table.concat(total, '\n', 1, total.texts)) or 0
        -- Cut off now and then: a reader takes no more than the limit.
        if total.lines >= limit and kept > 1 then
          call('LTRIM', key, 0, 0)
        elseif kept > limit + 20 then
          call('LTRIM', key, 0, limit - 1)
        end
      end
    end
  end
end
