-- Applies scores in order. Comes after board.lua.
-- KEYS: 10 the submission's @done key, 11 leaderboards:names
-- ARGV: 1 now (ms), 2 "1" when the submission has an id, 3… for each score:
--       player, operator ("" is the board's), score, subscore, metadata ("" leaves it)
-- Returns "reset" when the season has ended and nothing was applied, else
-- {moved players left, score, subscore, outcome…}: three for each; the outcome is "changed", "kept"
-- (no improvement, or applied before) or "range" (would leave ±2^53; not applied).
if settings[4] and tonumber(settings[4]) <= tonumber(ARGV[1]) then return 'reset' end
local repeated = ARGV[2] == '1' and not redis.call('SET', KEYS[10], '1', 'NX', 'PX', 600000)
local players, first = {}, 3
for i = first, #ARGV, 5 do players[#players + 1] = ARGV[i] end
local scores = redis.call('ZMSCORE', board, unpack(players))
local subs = redis.call('HMGET', subscores, unpack(players))
local now = {}
for i, player in ipairs(players) do
  now[player] = {score = tonumber(scores[i] or nil), sub = tonumber(subs[i] or 0)}
end

local function is_better(score, sub, than)
  if score ~= than.score then return (score > than.score) == best_is_high end
  if sub ~= than.sub then return (sub > than.sub) == best_is_high end
  return false
end

local limit = 9007199254740992
local function in_range(number) return number >= -limit and number <= limit end

-- At the limit a double swallows small changes: infinity then, which is refused, and no silent loss.
local function sum(a, b)
  local total = a + b
  if not in_range(total) or (math.abs(total) == limit and total - a ~= b) then return 1 / 0 end
  return total
end

-- What the player has afterwards, or nothing to leave it as it is.
local function combine(operator, score, sub, old)
  if operator == 'increment' then
    return sum(old.score or 0, score), sum(old.sub, sub)
  elseif operator == 'decrement' then
    return sum(old.score or 0, -score), sum(old.sub, -sub)
  elseif operator == 'set' or not old.score or is_better(score, sub, old) then
    return score, sub
  end
end

local answer, changed, notes = {0}, {}, {}
local counter = tonumber(redis.call('GET', seq) or 0)
for i, player in ipairs(players) do
  local at = first + (i - 1) * 5
  local old, outcome = now[player], 'kept'
  if not repeated then
    local operator = ARGV[at + 1] ~= '' and ARGV[at + 1] or settings[3] or 'best'
    local score, sub = combine(operator, tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), old)
    if score and not (in_range(score) and in_range(sub)) then
      outcome = 'range'
    elseif score then
      if score ~= old.score or sub ~= old.sub then
        counter = counter + 1
        old.score, old.sub, old.seq = score, sub, counter
        changed[player] = old
        outcome = 'changed'
      end
      if ARGV[at + 4] ~= '' then notes[player] = ARGV[at + 4] end
    end
  end
  answer[#answer + 1] = old.score and string.format('%.17g', old.score) or false
  answer[#answer + 1] = string.format('%.17g', old.sub)
  answer[#answer + 1] = outcome
end
local added, marks, kept_subs, no_subs = {}, {}, {}, {}
for player, has in pairs(changed) do
  added[#added + 1] = string.format('%.17g', has.score)
  added[#added + 1] = player
  marks[#marks + 1] = player
  marks[#marks + 1] = string.format('%.0f', has.seq)
  if has.sub == 0 then
    no_subs[#no_subs + 1] = player
  else
    kept_subs[#kept_subs + 1] = player
    kept_subs[#kept_subs + 1] = string.format('%.17g', has.sub)
  end
end
if #added > 0 then
  redis.call('ZADD', KEYS[11], 0, string.match(board, 'leaderboard:(.*)$'))
  redis.call('ZADD', board, unpack(added))
  redis.call('HSET', moved, unpack(marks))
  redis.call('SET', seq, string.format('%.0f', counter))
end
if #kept_subs > 0 then redis.call('HSET', subscores, unpack(kept_subs)) end
if #no_subs > 0 then redis.call('HDEL', subscores, unpack(no_subs)) end
for player, note in pairs(notes) do redis.call('HSET', metadata, player, note) end
answer[1] = place_moved(100)
return answer
