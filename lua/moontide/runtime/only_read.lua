--- Which states' values are only read by the functions that get them: told from their byte code. Such a function takes
--- fields of fixed names from a value and does nothing else with it, so whoever keeps the value may show it
--- instead of a copy, if no field of it is a table.
local origins = require "moontide.runtime.origins"

local M = {}

-- Origins, as this module names them: "self", "state NAME", "get of NAME" and the other methods, "iteration of NAME"
-- and "pairs of NAME" (an iterator, of values alone and with keys), "value of NAME".
local answers = { get = "value of ", values = "iteration of ", entries = "pairs of " }
for _, name in ipairs { "contains", "is_empty", "keys", "put", "put_all", "remove", "clear" } do answers[name] = "" end

local Reads = {}
Reads.__index = Reads

-- Where `self` goes, every state of it may.
function Reads:escaped(origin)
  for name in pairs(self.names) do
    if origin == "self" or origin == "state " .. name or origin:match "^[%l_]+ of (.*)$" == name then self.names[name] = nil end
  end
end

function Reads:field(origin, name)
  if origin == "self" then return self.names[name] and "state " .. name end
  local state = origin:match "^state (.*)$"
  if state then return answers[name] and name .. " of " .. state end
end

function Reads:store(origin, name)
  if origin == "self" then self.names[name] = nil else self:escaped(origin) end
end

function Reads:call(fn, arguments)
  local method, name = fn:match "^([%l_]+) of (.*)$"
  if not answers[method] or origins.only(arguments[1]) ~= "state " .. name then return nil end
  for i = 2, #arguments do
    for origin in pairs(arguments[i]) do self:escaped(origin) end
  end
  return answers[method] ~= "" and answers[method] .. name or origins.unknown
end

function Reads:iterate(iterator)
  local kind, name = iterator:match "^(%l+) of (.*)$"
  if kind == "iteration" then return { "value of " .. name } end
  if kind == "pairs" then return { origins.unknown, "value of " .. name } end
end

function Reads:returned(given)
  for origin in pairs(given) do self:escaped(origin) end
end

local function listener_of(self)
  local listener = { made = function() return "table" end }
  for _, name in ipairs { "field", "store", "call", "escaped", "returned", "iterate" } do
    listener[name] = function(...) return Reads[name](self, ...) end
  end
  return listener
end

--- Those of the names under which `self` has states whose values these functions, of (self, ...), only read.
---@param functions function[]
---@param names string[]
---@return table<string, true>
function M.of(functions, names)
  local self = setmetatable({ names = {} }, Reads)
  for _, name in ipairs(names) do self.names[name] = true end
  for _, fn in ipairs(functions) do
    if not origins.walk(fn, { "self" }, listener_of(self)) then return {} end
  end
  return self.names
end

return M
