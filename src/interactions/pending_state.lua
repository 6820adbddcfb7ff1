-- What is pending: acknowledged, and not under its final keys yet.
--
-- KEYS    attacks:pending, acts:bytes (numbers of bytes), acts:pending, acts:filing, acts:filed, acts:since, then for each part
--         attacks:index:<part>, attacks:pending:<part>
-- Returns the bytes of attack records, when the oldest was committed, in ms since 1970, and the same of activity; '' instead of a
-- time when nothing is pending, or when an older version left it.
local function number_at(key) return tonumber(redis.pcall('GET', key)) or 0 end
local function exists(key) return redis.call('EXISTS', key) == 1 end
local function answer(bytes, oldest) return string.format('%.0f', bytes), oldest and string.format('%.0f', oldest) or '' end

local function attacks()
  local oldest, is_pending
  -- Nearly always nothing is, and one command says so.
  local is_any = redis.call('EXISTS', unpack(KEYS, 7)) > 0
  for i = 7, is_any and #KEYS or 0, 2 do
    -- The index is shorter than the records, and begins alike.
    local head = redis.pcall('LINDEX', KEYS[i], 0)
    if type(head) ~= 'string' then head = redis.pcall('LINDEX', KEYS[i + 1], 0) end
    if type(head) == 'string' then
      is_pending = true
      local ms = tonumber(string.match(head, '^%d+'))
      if ms and (not oldest or ms < oldest) then oldest = ms end
    end
  end
  if is_pending then return math.max(number_at(KEYS[1]), 1), oldest end
  -- Whoever deleted a list by hand did not change the number.
  if number_at(KEYS[1]) ~= 0 then redis.call('DEL', KEYS[1]) end
  return 0
end

local function activity()
  local since
  if exists(KEYS[4]) then
    since = redis.pcall('HGET', KEYS[5], 'since')
  elseif exists(KEYS[3]) then
    since = redis.pcall('GET', KEYS[6])
  end
  return number_at(KEYS[2]), type(since) == 'string' and tonumber(since)
end

local attack_bytes, oldest_attack = answer(attacks())
return {attack_bytes, oldest_attack, answer(activity())}
