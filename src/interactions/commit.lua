-- Applies one batch of events, all or nothing, at most once.
--
-- KEYS[1] commit:<writer>                 (anchors the Cluster slot; the other names are built from the prefix)
-- ARGV    prefix, number of this commit, now (RFC 3339), slice, slice_length_s, commit_ttl_s, attack_ttl_s, profile_ttl_s,
--         actions_limit, log_limit, id_period, ids_limit, event count, events (one JSON a line),
--         now in ms since 1970, history_limit, history_ttl_s, rules   (see chat/deliver.lua, achievements/unlock.lua)
--         then the sections, each a count and its items:
--           streams  id, base, last                               base: the number that must be committed now
--           ids      id
--           players  id, activity, dealt, interaction, target, move, actions, ops
--                      move: '' or lat, lon, alt, ts, ttl_ms, cell (positions/cell.hpp) joined by a space
--                      actions: a count, then JSON texts, oldest first
--                      ops: a count, then amount, attacker for each; attacker '' means: hp becomes amount
--           levels   id                                    must be members of levels:popular
--           attacks  attacker, target, id, damage, ts
--           scores   board, player, operator, value
--           events   see interactions/game.lua
-- Returns {'ok', deaths…, verdicts…} with each death as 'victim attacker'; verdicts as in interactions/game.lua
--         {'amend', streams, players, ids, levels}: nothing was changed; streams = id, committed, …; players = unknown ones;
--                  ids = those seen before; levels = unknown ones
--         {'gap', last}: this writer's last commit is not the one before; nothing was changed
local A, at = ARGV, 0
local call = redis.call
local function next_arg() at = at + 1; return A[at] end
local function next_number() at = at + 1; return tonumber(A[at]) end

local prefix, number, now = next_arg(), next_number(), next_arg()
local slice, slice_length, commit_ttl, attack_ttl, profile_ttl = next_arg(), next_arg(), next_arg(), next_arg(), next_arg()
local actions_limit, log_limit, id_period, ids_limit = next_number(), next_arg(), next_number(), next_number()
local event_count, events = next_arg(), next_arg()
local world = {prefix = prefix, now = now, now_ms = next_number(), history_limit = next_arg(), history_ttl_s = next_arg(),
               rules = next_arg()}

-- Has this commit been applied already? Then its outcome is known.
local done = call('GET', KEYS[1])
if done then
  local last, outcome = string.match(done, '^(%d+) (.*)$')
  last = tonumber(last)
  if last == number then return cjson.decode(outcome) end
  if last ~= number - 1 then return {'gap', tostring(last)} end
elseif number ~= 1 then
  return {'gap', '0'}
end

-- Look before writing: whatever does not hold is reported, and nothing changes.
local streams, unfit = {}, {}
for i = 1, next_number() do
  local id, base, last = next_arg(), next_arg(), next_arg()
  local committed = call('GET', prefix .. 'ingest:' .. id) or '0'
  if committed ~= base then
    unfit[#unfit + 1] = id
    unfit[#unfit + 1] = committed
  end
  streams[i] = {id, last}
end

local ids, seen = {}, {}
local current = prefix .. 'eventids:' .. id_period
local before = prefix .. 'eventids:' .. string.format('%d', id_period - 1)
for i = 1, next_number() do
  local id = next_arg()
  if call('SISMEMBER', current, id) == 1 or call('SISMEMBER', before, id) == 1 then seen[#seen + 1] = id end
  ids[i] = id
end

local players, unknown = {}, {}
for i = 1, next_number() do
  local p = {id = next_arg(), activity = next_number(), dealt = next_number(), interaction = next_arg(),
             target = next_arg(), move = next_arg(), actions = {}, ops = {}}
  for k = 1, next_number() do p.actions[k] = next_arg() end
  for k = 1, 2 * next_number() do p.ops[k] = next_arg() end
  p.key = prefix .. 'player:' .. p.id
  local state = call('HMGET', p.key, 'hp', 'damage_dealt')
  if not state[1] then unknown[#unknown + 1] = p.id end
  p.hp, p.damage_dealt = tonumber(state[1]), tonumber(state[2] or 0)
  players[i] = p
end

local unknown_levels = {}
for _ = 1, next_number() do
  local level = next_arg()
  if not call('ZSCORE', prefix .. 'levels:popular', level) then unknown_levels[#unknown_levels + 1] = level end
end

if #unfit + #unknown + #seen + #unknown_levels > 0 then return {'amend', unfit, unknown, seen, unknown_levels} end

-- Everything holds: write.
local outcome = {'ok'}

-- Who moved on which board, in order; the boards' own order follows from that (docs/leaderboards.md).
local moved = {}
local function note_move(board, player)
  local list = moved[board] or {}
  moved[board] = list
  list[#list + 1] = player
end
local active, activity = prefix .. 'leaderboard:active', open_slice(prefix, slice, slice_length, event_count)
local cells = {}  -- of those who moved
for _, p in ipairs(players) do
  local fields = {'updated_at', now}
  local function set(name, v) fields[#fields + 1] = name; fields[#fields + 1] = v end
  if #p.ops > 0 then
    local hp = p.hp
    for k = 1, #p.ops, 2 do
      local amount, attacker = tonumber(p.ops[k]), p.ops[k + 1]
      if attacker == '' then
        hp = amount
      elseif hp > 0 then
        hp = hp - amount
        if hp <= 0 then
          hp = 0
          outcome[#outcome + 1] = p.id .. ' ' .. attacker
        end
      end
    end
    set('hp', string.format('%d', hp))
  end
  if p.dealt > 0 then
    set('damage_dealt', string.format('%d', p.damage_dealt + p.dealt))
    reached(world, p.id, 'damage', p.damage_dealt, p.damage_dealt + p.dealt)
  end
  if p.interaction ~= '' then set('interaction', p.interaction) end
  if p.target ~= '' then set('target', p.target) end
  if p.move ~= '' then
    local lat, lon, alt, ts, ttl, cell = string.match(p.move, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
    local key = prefix .. 'move:' .. p.id
    call('HSET', key, 'lat', lat, 'lon', lon, 'alt', alt, 'ts', ts)
    call('PEXPIRE', key, ttl)
    cells[#cells + 1], cells[#cells + 2] = cell, p.id
    set('lat', lat)
    set('lon', lon)
  end
  call('HSET', p.key, unpack(fields))
  if p.activity > 0 then
    call('ZINCRBY', active, p.activity, p.id)
    note_move(active, p.id)
    call('HINCRBY', activity, p.id, p.activity)
    call('EXPIRE', prefix .. 'user:' .. p.id, profile_ttl)
  end
  if #p.actions > 0 then
    local key = p.key .. ':actions'
    call('LPUSH', key, unpack(p.actions))
    call('LTRIM', key, 0, actions_limit - 1)
  end
end
-- In parts: unpack() takes less than 8,000 values.
for i = 1, #cells, 4000 do call('ZADD', prefix .. 'positions', unpack(cells, i, math.min(i + 3999, #cells))) end

for _ = 1, next_number() do
  local key = prefix .. 'attack:' .. next_arg() .. ':' .. next_arg()
  call('HSET', key, 'id', next_arg(), 'damage', next_arg(), 'ts', next_arg())
  call('EXPIRE', key, attack_ttl)
end

for _ = 1, next_number() do
  local key, player, operator, v = prefix .. 'leaderboard:' .. next_arg(), next_arg(), next_arg(), next_arg()
  local changed = 1
  if operator == 'increment' then
    call('ZINCRBY', key, v, player)
  elseif operator == 'best' then
    changed = call('ZADD', key, 'GT', 'CH', v, player)
  else
    changed = call('ZADD', key, 'CH', v, player)
  end
  if changed == 1 then note_move(key, player) end
end

for _, s in ipairs(streams) do call('SET', prefix .. 'ingest:' .. s[1], s[2], 'EX', 86400) end

if #ids > 0 and ids_limit > 0 then
  -- Each id by itself: a batch may hold more than unpack() takes.
  for _, id in ipairs(ids) do call('SADD', current, id) end
  call('EXPIRE', current, 1200)
  local over = call('SCARD', current) - ids_limit
  if over > 0 then call('SPOP', current, over) end
end

if log_limit ~= '0' then
  call('XADD', prefix .. 'interactions', 'MAXLEN', '~', log_limit, '*', 'n', event_count, 'events', events)
end
for k = 2, #outcome do
  local victim, killer = string.match(outcome[k], '^(%S+) (%S+)$')
  call('PUBLISH', prefix .. 'activity',
       cjson.encode({type = 'death', player_id = victim, killer_id = killer, ts = now}))
  if victim ~= killer then count(world, killer, 'kills') end
end

world.active, world.activity, world.profile_ttl_s = active, activity, profile_ttl
world.actions_limit, world.id_sets = actions_limit, {current, before}
world.note_move = note_move
apply_game(world, next_arg, outcome)

for board, list in pairs(moved) do
  local first = call('INCRBY', board .. '@seq', #list) - #list
  local marks = {}
  for i, player in ipairs(list) do
    marks[2 * i - 1], marks[2 * i] = player, first + i
  end
  -- In parts: unpack() takes less than 8,000 values.
  for i = 1, #marks, 4000 do
    call('HSET', board .. '@moved', unpack(marks, i, math.min(i + 3999, #marks)))
  end
end

call('SET', KEYS[1], string.format('%d ', number) .. cjson.encode(outcome), 'EX', commit_ttl)
return outcome
