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
local call = redis.call
local now, count = tonumber(ARGV[1]), #ARGV - 5
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local burst, more, period, least = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if not least then count = count / 2 end
local number = math.floor(now / period)
local here, before = KEYS[number % 2 + 1], KEYS[2 - number % 2]
-- Times are kept from a base of the hash's own on: short numbers are read and written faster.
local mark, base = string.format('%.0f/', number) .. ARGV[4] .. '/', number * period
local stored, writes = call('HMGET', here, '@period', unpack(ARGV, 6, 5 + count)), {}
local known, length, own_base = string.match(stored[1] or '', '^(%d+/(%d+)/)(%d+)')
if length == ARGV[4] and known ~= mark then
  call('UNLINK', here)
  stored, known = {}, nil
elseif known then
  -- After a change of the policy, too: buckets that were empty do not become full.
  base = tonumber(own_base)
end
if known ~= mark then writes[1], writes[2] = '@period', mark .. string.format('%.0f', base) end
local arrivals, missing = {}, {}
for i = 1, count do
  local subject, arrival = ARGV[5 + i], stored[i + 1]
  if arrival then arrivals[subject] = arrival + base else missing[#missing + 1] = subject end
end
if missing[1] then
  local older = call('HMGET', before, '@period', unpack(missing))
  local older_base = tonumber(string.match(older[1] or '', '/(%d+)$'))
  for i, subject in ipairs(missing) do
    if older_base and older[i + 1] then arrivals[subject] = older[i + 1] + older_base end
  end
end
local full, rooms, filled = now + burst, {}, #writes
for i = 1, count do
  local subject = ARGV[5 + i]
  local arrival, needed = arrivals[subject] or 0, least or tonumber(ARGV[5 + count + i])
  -- Not behind an empty bucket, which begins to fill now: the policy may have been another one before.
  local is_behind = arrival > full
  if arrival < now then arrival = now elseif is_behind then arrival = full end
  local room = full - arrival
  rooms[i] = room
  if room >= needed then
    local granted = needed + more
    arrival = arrival + (granted < room and granted or room)
  elseif not is_behind then
    arrival = nil
  end
  if arrival then
    arrivals[subject] = arrival
    writes[filled + 1], writes[filled + 2] = subject, arrival - base
    filled = filled + 2
  end
end
if filled > 0 then call('HSET', here, unpack(writes)) end
if writes[1] == '@period' then call('PEXPIREAT', here, math.ceil((number + 3) * period / 1000)) end
return rooms
