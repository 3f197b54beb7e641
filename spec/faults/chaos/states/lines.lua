-- The lines that the steps of the job of states write: a head, which says what was processed, and all that the key holds by then.
local M = {}

local SHORT = 40

-- Of a long text: too many bytes to look at them all for each record.
local function shortened(text)
  local middle = math.floor(#text / 2)
  return ("%d<%s~%s~%s>"):format(#text, text:sub(1, 8), text:sub(middle, middle + 7), text:sub(-8))
end

local function text_of(value)
  if type(value) == "string" then return #value <= SHORT and value or shortened(value) end
  if type(value) ~= "table" or getmetatable(value) == "null" then return tostring(value) end
  local fields = {}
  for name, field in pairs(value) do table.insert(fields, tostring(name) .. "=" .. text_of(field)) end
  table.sort(fields)
  return "{" .. table.concat(fields, ",") .. "}"
end

local function checksum(text)
  local sum = 7
  for i = 1, #text do sum = (sum * 31 + text:byte(i)) % 1000000007 end
  return sum
end

-- What a state holds, by how it is read.
local readers = {
  value = function(state) return text_of(state:value()) end,
  get = function(state) return text_of(state:get()) end,
  -- In the order in which they come.
  entries = function(state)
    local entries = {}
    for key, value in state:entries() do table.insert(entries, key .. "=" .. text_of(value)) end
    return table.concat(entries, ",")
  end,
}

--- What states hold, as short texts; `shown`: a list of { name, "value"|"get"|"entries" }.
function M.state(self, shown)
  local texts = {}
  for _, state in ipairs(shown) do
    local text = readers[state[2]](self[state[1]])
    table.insert(texts, #text <= SHORT and text or #text .. ":" .. checksum(text))
  end
  return table.concat(texts, "|")
end

--- Begin with a record of an input ("1", "2") or a timer ("event", "processing") that has the number or the time `n`.
--- Answers the head of its line, with its number among all of the key, and the clock.
function M.begin(self, what, n, ctx)
  local number, clock = self.number:value() + 1, ctx:timers():current_processing_time()
  self.number:update(number)
  return ("%s,%d,%s,%d,%d,"):format(what, n, ctx:current_key(), number, clock), clock
end

--- What the head of a line says; nil: this is no such line.
function M.parse(line)
  local what, n, key, number, clock = line:match("^(%w+),(%d+),([^,]*),(%d+),(%d+),")
  return what and { what = what, n = tonumber(n), key = key, number = tonumber(number), clock = tonumber(clock) }
end

return M
