-- What comes out of harnesses as text: records `value@time` (no time: `value`), and
-- between them the marks `W(time)`, `IDLE`, `ACTIVE`, `END`.
local M = {}

local function text_of(value)
  if type(value) ~= "table" or getmetatable(value) == "null" then return tostring(value) end
  local words = {}
  for i, item in ipairs(value) do words[i] = text_of(item) end
  local named = {}
  for key in pairs(value) do
    if type(key) ~= "number" then named[#named + 1] = key end
  end
  table.sort(named, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(named) do words[#words + 1] = ("%s=%s"):format(tostring(key), text_of(value[key])) end
  return "{" .. table.concat(words, ",") .. "}"
end
M.value = text_of

local function time_text(time)
  if time == math.huge then return "MAX" end
  if time == -math.huge then return "MIN" end
  return ("%.0f"):format(time)
end

--- A record as text.
function M.record(element)
  return text_of(element.value) .. (element.timestamp and "@" .. time_text(element.timestamp) or "")
end

--- A mark as text.
function M.mark(element)
  if element.watermark then return "W(" .. time_text(element.watermark) .. ")" end
  if element.status then return element.status:upper() end
  if element.ended then return "END" end
  if element.barrier then return "B(" .. element.barrier .. ")" end
  return "X(" .. element.cancelled .. ")"
end

local function is_mark(word)
  return word:match("^[WBX]%(") or word == "IDLE" or word == "ACTIVE" or word == "END"
end

-- Records between two marks in any order, unless their order is a promise.
local function join(list, ordered)
  local words, run = {}, {}
  local function flush()
    if not ordered then table.sort(run) end
    for _, word in ipairs(run) do words[#words + 1] = word end
    run = {}
  end
  for _, word in ipairs(list) do
    if is_mark(word) then
      flush()
      words[#words + 1] = word
    else
      run[#run + 1] = word
    end
  end
  flush()
  return table.concat(words, " ")
end

--- Output as text, to be compared with M.expected.
---@param elements table[] what a harness put out
---@param ordered? boolean is the order of records between two marks told too?
function M.seen(elements, ordered)
  local list = {}
  for i, element in ipairs(elements) do list[i] = element.value ~= nil and M.record(element) or M.mark(element) end
  return join(list, ordered)
end

--- What a case says, in the order in which M.seen puts it.
---@param text? string words with blanks between
function M.expected(text, ordered)
  local list = {}
  for word in (text or ""):gmatch("%S+") do list[#list + 1] = word end
  return join(list, ordered)
end

return M
