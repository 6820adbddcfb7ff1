-- Applies one batch of events, all or nothing, at most once.
--
-- KEYS[1] commit:<writer>                 (anchors the Cluster slot; the other names are built from the prefix)
-- ARGV    prefix, number of this commit, now (RFC 3339), slice, slice_length_s, commit_ttl_s, attack_ttl_ms, profile_ttl_s,
--         actions_limit, log_limit, id_period, ids_limit, event count, events (one JSON a line),
--         now in ms since 1970, history_limit, history_ttl_s, rules   (see chat/deliver.lua, achievements/unlock.lua),
--         leaves_pending, attacks_pending_limit, activity_pending_limit, is_redo, body, text…
--         body is a MessagePack array of sections, each a count and its items:
--           streams  id, base, last, claim, owner                 base: the number that must be committed now; claim, owner:
--                      of its writer (claim_stream.lua), who must not have been taken over
--           ids      name, digest                                 of events that must be applied once (events.hpp)
--           levels   id                                           must be members of levels:popular
--           boards   board                                        those that scores are for
--           players  id, dealt, interaction, target, move, ops
--                      move: '' or lat, lon, alt, ts, ttl_ms, cell (positions/cell.hpp) joined by a space
--                      ops: a count, then amount, attacker for each; attacker '' means: hp becomes amount
--           activity (nothing; when the count is above 0, the next text holds them all, without its first line: activity_delta.hpp)
--           attacks  part     the next text holds its records (flush_attacks.lua), the one after it their index (latest_attack.lua)
--           scores   board, player, operator, value
--           events   see interactions/game.lua
--         is_redo: '1' when this commit was confirmed before: then it is no matter who writes the streams now. '2': the
--                  same behind a gap: commits before it are lost for good, so streams may be further behind.
-- Returns {'ok', deaths…, refused…, verdicts…, damaged…} with each death as 'victim attacker'; refused: '?<n>' for the n-th
--                  of scores that would have left ±2^53; verdicts as in interactions/game.lua; damaged: '~<key>' for each
--                  key that was not written, because something else stands there
--         {'amend', streams, players, ids, levels, damaged, taken}: nothing was changed; streams = id, committed (or
--                  'taken'), …; players = unknown ones; ids = those seen before; levels = unknown ones; damaged = keys
--                  (without prefix) that hold something else than a player's state or a board; taken = ids of other events
--         {'full'}: more attack records are pending than may be; nothing was changed
--         {'gap', last}: this writer's last commit is not the one before; nothing was changed
-- Fails when a key that all commits share holds another type than what this commit needs there: then no event is applied.
--
-- What it costs is the number of redis.call()s: about a microsecond each. So texts that are known outside come as texts
-- (a number as an argument is formatted slowly), and the lists are read in place.
local call = redis.call
local prefix, now, slice, slice_length, commit_ttl, attack_ttl, profile_ttl =
  ARGV[1], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local number, actions_limit, log_limit = tonumber(ARGV[2]), tonumber(ARGV[9]), ARGV[10]
local id_period, ids_limit = tonumber(ARGV[11]), tonumber(ARGV[12])
local event_count, events = ARGV[13], ARGV[14]
local world = {prefix = prefix, now = now, now_ms = tonumber(ARGV[15]), history_limit = ARGV[16],
               history_ttl_s = ARGV[17], rules = ARGV[18]}
local leaves_pending, attacks_pending_limit, activity_pending_limit = ARGV[19] == '1', tonumber(ARGV[20]), tonumber(ARGV[21])
local is_redo, follows_gap = ARGV[22] ~= '0', ARGV[22] == '2'
local B, at = cmsgpack.unpack(ARGV[23]), 0
local function next_arg() at = at + 1; return B[at] end
local text_at = 23
local function next_text() text_at = text_at + 1; return ARGV[text_at] end

-- Has this commit been applied already? Then its outcome is known. Two are on their way at a time, so the outcomes of
-- the last two are kept: '<number> <outcome>\n<outcome of the one before>'.
local done, last_outcome = demand('GET', KEYS[1]), '[]'
if done then
  local last, outcome, before = string.match(done, '^(%d+) ([^\n]*)\n(.*)$')
  if not last then error({err = 'ERR the key ' .. KEYS[1] .. ' holds another text than a commit'}) end
  last, last_outcome = tonumber(last), outcome
  if last == number then return cjson.decode(outcome) end
  if last == number + 1 then return cjson.decode(before) end
  if last ~= number - 1 then return {'gap', string.format('%.0f', last)} end
elseif number ~= 1 then
  return {'gap', '0'}
end

-- Look before writing: whatever does not hold is reported, and nothing changes. Reading the keys that all commits share
-- ends the script where one of them holds another type. Those that need no reading are written first of all, where failing
-- changes nothing but a counter or an index.

local streams, unfit = {}, {}
for i = 1, next_arg() do
  local id, base, last, claim, owner = unpack(B, at + 1, at + 5)
  at = at + 5
  -- What else stands there is replaced: nothing is known of the stream.
  local known = redis.pcall('GET', prefix .. 'ingest:' .. id)
  if type(known) ~= 'string' or not string.find(known, '^%d') then known = '0' end
  local committed, its_claim, its_owner = string.match(known, '^(%d+) ?(%d*) ?(.*)$')
  local is_newer = its_claim ~= '' and tonumber(its_claim) > tonumber(claim)
  if not is_redo and (is_newer or its_claim ~= '' and its_owner ~= owner) then
    unfit[#unfit + 1] = id
    unfit[#unfit + 1] = 'taken'
  elseif committed ~= base and not (follows_gap and tonumber(committed) < tonumber(base)) then
    unfit[#unfit + 1] = id
    unfit[#unfit + 1] = committed
  end
  if is_newer then claim, owner = its_claim, its_owner end
  streams[i] = {id, last .. ' ' .. claim .. ' ' .. owner}
end

-- The events that were applied lately, and what they were.
local current = prefix .. 'eventdigests:' .. id_period
local before = prefix .. 'eventdigests:' .. string.format('%d', id_period - 1)
world.ids = {}
-- False: unknown; nil: it cannot be read.
function world.ids.digest_of(id)
  local known = attempt('HGET', current, id)
  if known == false then known = attempt('HGET', before, id) end
  return known
end
function world.ids.remember(id, digest)
  if ids_limit == 0 then return end
  call('HSET', current, id, digest)
  call('EXPIRE', current, 1200)
end

local ids, seen, taken = {}, {}, {}
for i = 1, next_arg() do
  local id, digest = next_arg(), next_arg()
  local known = demand('HGET', current, id) or demand('HGET', before, id)
  if known == digest then
    seen[#seen + 1] = id
  elseif known then
    taken[#taken + 1] = id
  end
  ids[i] = {id, digest}
end

local unfit_keys = {}
local function look_at_board(name)
  if type(redis.pcall('ZCARD', prefix .. name)) == 'table' then unfit_keys[#unfit_keys + 1] = name end
end
local unknown_levels = {}
for n = 1, next_arg() do
  if n == 1 then
    demand('SCARD', prefix .. 'players:levelled')
    look_at_board('leaderboard:global')
  end
  local level = next_arg()
  if not demand('ZSCORE', prefix .. 'levels:popular', level) then unknown_levels[#unknown_levels + 1] = level end
  look_at_board('leaderboard:level:' .. level)
end
for _ = 1, next_arg() do look_at_board('leaderboard:' .. next_arg()) end

-- The players' records are read twice: here for what has to be known of them, below for what becomes of them. That is
-- hp of those who are hit, or who did nothing that hits, and damage_dealt of the others. Both show who exists.
local player_count, unknown = next_arg(), {}
local first_player = at
local player_key = prefix .. 'player:'
local hit, hit_at, hitting, hitting_at = {}, {}, {}, {}
local cells = {}  -- of those who moved
for i = 1, player_count do
  local id, dealt, move, op_count = B[at + 1], B[at + 2], B[at + 5], B[at + 6]
  if move ~= '' then cells[#cells + 1], cells[#cells + 2] = string.match(move, '.* (%S+)$'), id end
  if op_count > 0 or dealt == 0 then
    hit[#hit + 1] = id
    hit_at[#hit_at + 1] = i
  end
  if dealt > 0 then
    hitting[#hitting + 1] = id
    hitting_at[#hitting_at + 1] = i
  end
  at = at + 6 + 2 * op_count
end
-- SORT reads a field of many hashes in one command.
local function read_field(players, field)
  if #players == 0 then return {} end
  local list = KEYS[1] .. '@players'
  for k = 1, #players, 7000 do call('RPUSH', list, unpack(players, k, math.min(k + 6999, #players))) end
  local values = call('SORT', list, 'BY', 'nosort', 'GET', player_key .. '*->' .. field)
  call('DEL', list)
  return values
end
-- `value` is what the field holds; it is no whole number, or absent.
local function note_unfit(id, value)
  local kind = call('TYPE', player_key .. id).ok
  if value or kind ~= 'none' and kind ~= 'hash' then
    unfit_keys[#unfit_keys + 1] = 'player:' .. id
  else
    unknown[#unknown + 1] = id
  end
end
local hp_before, dealt_before = {}, {}
for k, text in ipairs(read_field(hit, 'hp')) do
  local hp = tonumber(text)
  if hp and hp % 1 == 0 and math.abs(hp) <= exact_limit then hp_before[hit_at[k]] = hp else note_unfit(hit[k], text) end
end
for k, text in ipairs(read_field(hitting, 'damage_dealt')) do
  local i, dealt = hitting_at[k], tonumber(text or 0)
  if not dealt or dealt % 1 ~= 0 or math.abs(dealt) > exact_limit then
    note_unfit(hitting[k], text)
  elseif not text and not hp_before[i] and redis.pcall('HEXISTS', player_key .. hitting[k], 'hp') ~= 1 then
    -- One that is hit too has been looked at.
    note_unfit(hitting[k])
  end
  dealt_before[i] = dealt
end

world.active = prefix .. 'leaderboard:active'
demand('ZCARD', world.active)
if log_limit ~= '0' then demand('XLEN', prefix .. 'interactions') end
local pending_key = prefix .. 'attacks:pending'
-- A number that only these scripts write: anything else under its key would fail them in their middle.
local function number_at(key)
  local text = demand('GET', key) or '0'
  if string.find(text, '^-?%d+$') and #text < 17 then return tonumber(text) end
  error({err = 'ERR the key ' .. key .. ' holds a text, not a number'})
end
if number_at(pending_key) >= attacks_pending_limit and not is_redo then return {'full'} end

-- What players did comes as a text. It is counted at once, unless this commit leaves it or older activity is pending: then it
-- is flushed together with that of other commits (pending_activity.hpp). With too much pending it is counted at once, too.
local activity_key = prefix .. 'acts:pending'
local counts_at_once = demand('LLEN', activity_key) == 0 and not leaves_pending and call('EXISTS', prefix .. 'acts:filing') == 0
                   or number_at(prefix .. 'acts:bytes') > activity_pending_limit

if #unfit + #unknown + #seen + #unknown_levels + #unfit_keys + #taken > 0 then
  return {'amend', unfit, unknown, seen, unknown_levels, unfit_keys, taken}
end

-- Everything holds: write.
local outcome = {'ok'}

-- Who moved on which board, in order; the boards' own order follows from that (docs/leaderboards.md).
local moved = {}
local function note_move(board, player)
  local list = moved[board] or {}
  moved[board] = list
  list[#list + 1] = player
end
world.activity = open_slice(prefix, slice, slice_length, event_count)
for i = 1, #cells, 4000 do demand('ZADD', prefix .. 'positions', unpack(cells, i, math.min(i + 3999, #cells))) end
world.actions_limit, world.profile_ttl_s = actions_limit, profile_ttl

local function leave_activity(text)
  if counts_at_once then
    local totals = new_totals()
    add_deltas(totals, text, actions_limit)
    flush_activity(world, totals)
  else
    if demand('RPUSH', activity_key, text) == 1 then call('SET', prefix .. 'acts:since', ARGV[15]) end
    call('INCRBY', prefix .. 'acts:bytes', string.format('%d', #text))
  end
end
if next_arg() > 0 then
  -- The board `active` is written from activity, so its numbers come as a block for each commit: the block's number, and the
  -- place in it.
  local block = string.sub(string.format('%.0f', demand('INCRBY', world.active .. '@seq', '100000')), 1, -6)
  leave_activity(block .. '\n' .. next_text())
end
local after_activity = at

local fields = {'updated_at', now}  -- one table for all: making one costs as much as a command
at = first_player
for i = 1, player_count do
  local id, dealt, interaction, target, move, op_count = unpack(B, at + 1, at + 6)
  local n = 2
  at = at + 6
  if op_count > 0 then
    local hp = hp_before[i]
    for k = at + 1, at + 2 * op_count, 2 do
      local amount, attacker = B[k], B[k + 1]
      if attacker == '' then
        hp = amount
      elseif hp > 0 then
        hp = hp - amount
        if hp <= 0 then
          hp = 0
          outcome[#outcome + 1] = id .. ' ' .. attacker
        end
      end
    end
    fields[n + 1], fields[n + 2] = 'hp', string.format('%d', hp)
    n = n + 2
    at = at + 2 * op_count
  end
  if dealt > 0 then
    local before = dealt_before[i]
    local after = math.min(before + dealt, exact_limit)
    fields[n + 1], fields[n + 2] = 'damage_dealt', string.format('%d', after)
    n = n + 2
    reached(world, id, 'damage', before, after)
  end
  if interaction ~= '' then
    fields[n + 1], fields[n + 2] = 'interaction', interaction
    n = n + 2
  end
  if target ~= '' then
    fields[n + 1], fields[n + 2] = 'target', target
    n = n + 2
  end
  if move ~= '' then
    local lat, lon, alt, ts, ttl = string.match(move, '^(%S+) (%S+) (%S+) (%S+) (%S+)')
    put_hash(prefix .. 'move:' .. id, ttl, 'lat', lat, 'lon', lon, 'alt', alt, 'ts', ts)
    fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'lat', lat, 'lon', lon
    n = n + 4
  end
  call('HSET', player_key .. id, unpack(fields, 1, n))
end
at = after_activity
-- Called by trades: `line` is the last that `player` did.
function world.add_action(player, line) leave_activity('0\n' .. player .. ' 0 00000 0 1 ' .. #line .. '\n' .. line) end

-- Attack records likewise, part by part: leaving them pending costs a small part of writing their keys (attack_records.hpp).
-- What else stands there is replaced.
local function push(list, text)
  local length = attempt('RPUSH', list, text)
  if length then return length end
  call('DEL', list)
  return call('RPUSH', list, text)
end
local ttl, change = tonumber(attack_ttl), 0
for _ = 1, next_arg() do
  local part, records, index = next_arg(), next_text(), next_text()
  local list, index_list = pending_key .. ':' .. part, prefix .. 'attacks:index:' .. part
  if not leaves_pending and call('EXISTS', list) == 0 then
    flush_attacks(prefix, records, world.now_ms, ttl)
  else
    -- An index of what an older version has flushed is of no use.
    if push(list, records) == 1 then call('DEL', index_list) end
    push(index_list, index)
    change = change + #records
  end
end
if change ~= 0 then call('INCRBY', pending_key, string.format('%d', change)) end

local refused, scored = {}, {}
for n = 1, next_arg() do
  local name, player, operator, v = next_arg(), next_arg(), next_arg(), next_arg()
  local key = prefix .. 'leaderboard:' .. name
  local changed = 1
  if operator == 'increment' then
    if score_fits(key, player, v) then
      call('ZINCRBY', key, v, player)
    else
      changed, refused[#refused + 1] = 0, '?' .. n
    end
  elseif operator == 'best' then
    changed = call('ZADD', key, 'GT', 'CH', v, player)
  else
    changed = call('ZADD', key, 'CH', v, player)
  end
  if changed == 1 then note_move(key, player) end
  scored[name] = true
end
for name in pairs(scored) do attempt('ZADD', prefix .. 'leaderboards:names', 0, name) end

for _, s in ipairs(streams) do call('SET', prefix .. 'ingest:' .. s[1], s[2], 'EX', 86400) end

if #ids > 0 and ids_limit > 0 then
  -- Each id by itself: a batch may hold more than unpack() takes.
  for _, id in ipairs(ids) do call('HSET', current, id[1], id[2]) end
  call('EXPIRE', current, 1200)
  local over = call('HLEN', current) - ids_limit
  while over > 0 do
    local some = math.min(over, 1000)
    call('HDEL', current, unpack(call('HRANDFIELD', current, some)))
    over = over - some
  end
end

-- A commit that only moves streams on is no entry.
if log_limit ~= '0' and event_count ~= '0' then
  call('XADD', prefix .. 'interactions', 'MAXLEN', '~', log_limit, '*', 'n', event_count, 'events', events)
end
for k = 2, #outcome do
  local victim, killer = string.match(outcome[k], '^(%S+) (%S+)$')
  call('PUBLISH', prefix .. 'activity',
       cjson.encode({type = 'death', player_id = victim, killer_id = killer, ts = now}))
  if victim ~= killer then count(world, killer, 'kills') end
end

for _, entry in ipairs(refused) do outcome[#outcome + 1] = entry end

world.note_move = note_move
apply_game(world, next_arg, outcome)

for board, list in pairs(moved) do
  local last = attempt('INCRBY', board .. '@seq', #list) or #list
  local marks = {}
  for i, player in ipairs(list) do
    marks[2 * i - 1], marks[2 * i] = player, last - #list + i
  end
  -- In parts: unpack() takes less than 8,000 values.
  for i = 1, #marks, 4000 do
    attempt('HSET', board .. '@moved', unpack(marks, i, math.min(i + 3999, #marks)))
  end
end
for _, key in ipairs(damaged) do outcome[#outcome + 1] = '~' .. key end

call('SET', KEYS[1], string.format('%.0f ', number) .. cjson.encode(outcome) .. '\n' .. last_outcome, 'EX', commit_ttl)
return outcome
