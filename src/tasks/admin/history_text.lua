-- Searches blocks of the history's texts (history.lua writes them), the newest line first.
-- KEYS: [1] prefix of the history's keys
-- ARGV: [1] what is searched, as it stands there  [2] 'id' or 'arguments': where  [3] matches after which no
--       further block is read  [4] the first block  [5] in it, only lines in front of this position (0: all)
--       [6] the last block; it has the lowest number
-- Returns the first block that was not read, then for each match: block, position of its line, id.
local prefix, needle, where = KEYS[1], ARGV[1], ARGV[2]
local limit, before = tonumber(ARGV[3]), tonumber(ARGV[5])
local out = {0}
local block = tonumber(ARGV[4])
while block >= tonumber(ARGV[6]) and #out / 3 < limit do
  local text = redis.call('GET', prefix .. 'text:' .. block)
  local found = {}
  local start, from = 1, 1
  while text do
    local at = string.find(text, needle, from, true)
    if not at then break end
    local stop = string.find(text, '\n', start, true)
    while stop < at do
      start = stop + 1
      stop = string.find(text, '\n', start, true)
    end
    local tab = string.find(text, '\t', start, true)
    local fits = where == 'id' and at < tab
    if where ~= 'id' then
      if at < tab then at = string.find(text, needle, tab, true) end
      fits = at and at < stop
    end
    if fits and (before == 0 or start < before) then found[#found + 1] = start end
    start, from = stop + 1, stop + 1
  end
  for i = #found, 1, -1 do
    out[#out + 1] = block
    out[#out + 1] = found[i]
    out[#out + 1] = string.sub(text, found[i], string.find(text, '\t', found[i], true) - 1)
  end
  block = block - 1
  before = 0
end
out[1] = block
return out
