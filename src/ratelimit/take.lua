-- Takes tokens of subjects of one policy (GCRA, see gcra.hpp), in the order given; all times in microseconds.
--
-- A policy has two hashes, which take turns: one for the periods of even numbers and one for the odd ones. A subject's arrival
-- time is written to that of this period, and read from the one before when it is not there yet. A period is at least as long
-- as the bucket takes to fill, so that what is older than that says nothing any more: then the hash is dropped as a whole.
--
-- KEYS    ratelimit:buckets:<policy>@even, ratelimit:buckets:<policy>@odd
-- ARGV    now (empty: this server's clock), the whole bucket, what is wanted beside the least, the length of a period, the least
--         to take of each (empty: they follow), the subjects (one may stand several times), the least of each
-- Returns for each subject the room that its bucket had before: at least the least, and it was granted.
local call, format = redis.call, string.format
local now, count = tonumber(ARGV[1]), #ARGV - 5
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local burst, more, period, least = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if not least then count = count / 2 end
local number = math.floor(now / period)
local here, before = KEYS[number % 2 + 1], KEYS[2 - number % 2]
-- These keys are this script's alone: what else stands there is replaced.
local function read(key, ...)
  local reply = redis.pcall('HMGET', key, '@period', ...)
  if not reply.err then return reply end
  if not string.find(reply.err, '^WRONGTYPE') then error(reply) end
  call('DEL', key)
  return call('HMGET', key, '@period', ...)
end
-- Times are kept from a base of the hash's own on: short numbers are read and written faster.
local mark, base = format('%.0f/', number) .. ARGV[4] .. '/', number * period
local stored, writes = read(here, unpack(ARGV, 6, 5 + count)), {}
local known, length, own_base = string.match(stored[1] or '', '^(%d+/(%d+)/)(%d+)')
if length == ARGV[4] and known ~= mark then
  call('UNLINK', here)
  stored, known = {}, nil
elseif known then
  -- After a change of the policy, too: buckets that were empty do not become full.
  base = tonumber(own_base)
end
if known ~= mark then writes[1], writes[2] = '@period', mark .. format('%.0f', base) end
local missing, places = {}, {}
for i = 1, count do
  if not stored[i + 1] then missing[#missing + 1], places[#places + 1] = ARGV[5 + i], i + 1 end
end
if missing[1] then
  local older = read(before, unpack(missing))
  local older_base = tonumber(string.match(older[1] or '', '/(%d+)$'))
  for n, place in ipairs(places) do
    local arrival = tonumber(older[n + 1] or nil)
    if older_base and arrival then stored[place] = arrival + older_base - base end
  end
end
-- From here on all times are from the base on. `latest`: of subjects that were written, which may come again.
now = now - base
local full, rooms, filled, latest = now + burst, {}, #writes, {}
for i = 1, count do
  local subject = ARGV[5 + i]
  local arrival, needed = latest[subject] or tonumber(stored[i + 1] or nil), least or tonumber(ARGV[5 + count + i])
  -- Not behind an empty bucket, which begins to fill now: the policy may have been another one before.
  local is_behind = arrival and arrival > full
  if not arrival or arrival < now then arrival = now elseif is_behind then arrival = full end
  local room = full - arrival
  rooms[i] = room
  if room >= needed then
    local granted = needed + more
    arrival = arrival + (granted < room and granted or room)
  elseif not is_behind then
    arrival = nil
  end
  if arrival then
    latest[subject] = arrival
    writes[filled + 1], writes[filled + 2] = subject, format('%d', arrival)
    filled = filled + 2
  end
end
if filled > 0 then call('HSET', here, unpack(writes)) end
if writes[1] == '@period' then call('PEXPIREAT', here, math.ceil((number + 3) * period / 1000)) end
return rooms
