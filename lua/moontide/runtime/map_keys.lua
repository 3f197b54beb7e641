--- Which keys a function asks its maps for, where they follow from the record alone:
--- told from its byte code, each as the text of an expression over `value`, the record.
--- They are known before the function runs, so what is found under them can be
--- fetched for many records at once (map_hints.lua).
---
--- An expression reads fields of the record, calculates, joins texts, and calls
--- functions of Lua's that do nothing else. Values from outside of the function are
--- those of now. What a key is besides is not told.
local origins = require "moontide.runtime.origins"

local M = {}

local expression_bytes_max = 300

local libraries = { math = math, string = string, bit = require "bit" }

-- Names of what only answers something, by function. Not string.rep: a hint is worked out also for records that the
-- function turns away before it gets there, and must not make of them what fills the memory.
local pure = {}
for library, names in pairs {
  math = { "floor", "ceil", "abs", "min", "max", "fmod", "sqrt" },
  string = { "sub", "lower", "upper", "format", "byte", "char", "reverse" },
  bit = { "band", "bor", "bxor", "lshift", "rshift", "tobit" },
} do
  for _, name in ipairs(names) do pure[libraries[library][name]] = library .. "_" .. name end
end
pure[tostring], pure[tonumber] = "tostring", "tonumber"

--- The functions that expressions call, by the names that they have there.
M.functions = {}
for fn, name in pairs(pure) do M.functions[name] = fn end

-- Origins, as this module names them: "self", "map NAME", "get of NAME" and the other methods that take a key, "library NAME",
-- "function NAME", and "= EXPRESSION".
local function expression_of(origin)
  return origin:match "^= (.*)$"
end

local function expression(text)
  return #text <= expression_bytes_max and "= " .. text or nil
end

local function outside(value)
  local kind = type(value)
  if kind == "number" and value == value and math.abs(value) < math.huge then return expression(("(%.17g)"):format(value)) end
  if kind == "string" then return expression(("(%q)"):format(value)) end
  if pure[value] then return "function " .. pure[value] end
  for name, library in pairs(libraries) do
    if value == library then return "library " .. name end
  end
end

local takes_key = { get = true, put = true, contains = true, remove = true }

local function listener_of(maps, sites, fields)
  local function nothing() end
  local listener = { store = nothing, escaped = nothing, returned = nothing, constant = outside, outside = outside }

  function listener.made() return "table" end

  function listener.field(origin, name)
    if type(name) ~= "string" then return nil end
    if origin == "self" then return maps[name] and "map " .. name end
    local map, library, record = origin:match "^map (.*)$", origin:match "^library (.*)$", expression_of(origin)
    if map then return takes_key[name] and name .. " of " .. map end
    if library then return outside(libraries[library][name]) end
    if record == "value" then fields[name] = true end
    return record and expression(("%s[%q]"):format(record, name))
  end

  local function texts_of(operands)
    local texts = {}
    for i, origin in ipairs(operands) do
      texts[i] = expression_of(origin)
      if not texts[i] then return nil end
    end
    return texts
  end

  function listener.operate(operator, ...)
    local texts = texts_of { ... }
    if not texts then return nil end
    if #texts == 1 then texts = { "", texts[1] } end
    return expression("(" .. table.concat(texts, " " .. operator .. " ") .. ")")
  end

  function listener.call(called, arguments, place)
    local map = called:match "^%l+ of (.*)$"
    if map then
      sites[place] = { map = map, expression = expression_of(origins.only(arguments[2]) or origins.unknown) } -- the last time it is come to, all ways have met
      return nil
    end
    local name, operands = called:match "^function (.*)$", {}
    if not name then return nil end
    for i, set in ipairs(arguments) do operands[i] = origins.only(set) or origins.unknown end
    local texts = texts_of(operands)
    return texts and expression(("%s(%s)"):format(name, table.concat(texts, ", ")))
  end

  return listener
end

---@class MapKey
---@field map string name of the state
---@field expression string

-- Each key once for a map, in the order of the byte code.
local function keys_of(sites)
  local places, keys, seen = {}, {}, {}
  for place in pairs(sites) do places[#places + 1] = place end
  table.sort(places)
  for _, place in ipairs(places) do
    local site = sites[place]
    local name = site.expression and site.map .. "\n" .. site.expression
    if name and not seen[name] then
      seen[name] = true
      keys[#keys + 1] = site
    end
  end
  return keys
end

--- The keys that a function (self, record, ...) asks maps for.
---@param fn function
---@param maps table<string, any> by the names that `self` has for them
---@return MapKey[], table<string, true> fields of the record that the expressions read
function M.of(fn, maps)
  local sites, fields = {}, {}
  origins.walk(fn, { "self", "= value" }, listener_of(maps, sites, fields))
  return keys_of(sites), fields
end

return M
