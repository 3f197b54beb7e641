--- Keyed state in plain Lua, as the rules say (S50 to S52). `value_state` and its siblings answer declarations, as
--- moontide's do, so that a step's definition that is given either module runs with it. A declaration that is called
--- answers the state of one key; all of that lies in its `content`.
local copied = require "moontide.runtime.copy"
local null = require "moontide.null"

local M = { null = null }

-- -0 becomes 0.
local function normal(value)
  if type(value) == "number" then return value + 0 end
  if type(value) ~= "table" or value == null then return value end
  for key, element in pairs(value) do value[key] = normal(element) end
  return value
end

local function copy(value) return normal(copied(value)) end

-- `nothing`: the content of a state that holds nothing.
local function declares(class, nothing)
  class.__index = class
  return function(given)
    return function() return setmetatable({ given = given or {}, content = nothing() }, class) end
  end
end

local function none() return nil end
local function empty() return {} end

-- ---- One value ----

local Value, Reducing, Aggregating = {}, {}, {}

function Value:value()
  if self.content == nil then return copy(self.given.default) end
  return copy(self.content)
end

function Value:update(value) self.content = copy(value) end

function Value:clear() self.content = nil end

function Value:rows() return self.content == nil and 0 or 1 end

function Reducing:get() return copy(self.content) end

function Reducing:add(value)
  if self.content ~= nil then value = self.given.reduce(copy(self.content), value) end
  self.content = copy(value)
end

Reducing.clear, Reducing.rows = Value.clear, Value.rows

function Aggregating:get()
  if self.content == nil then return nil end
  return self.given.result(copy(self.content))
end

function Aggregating:add(value)
  local before = copy(self.content)
  if before == nil then before = self.given.create() end
  self.content = copy(self.given.add(before, value))
end

Aggregating.clear, Aggregating.rows = Value.clear, Value.rows

-- ---- A list ----

local List = {}

function List:get() return copy(self.content) end

function List:add(value) table.insert(self.content, copy(value)) end

function List:add_all(list)
  for _, value in ipairs(list) do self:add(value) end
end

function List:update(list) self.content = copy(list) end

function List:clear() self.content = {} end

function List:rows() return #self.content end

-- ---- A map ----

local Map = {}

function Map:get(key) return copy(self.content[key]) end

function Map:put(key, value) self.content[key] = copy(value) end

function Map:put_all(map)
  for key, value in pairs(map) do self:put(key, value) end
end

function Map:remove(key) self.content[key] = nil end

function Map:contains(key) return self.content[key] ~= nil end

function Map:is_empty() return next(self.content) == nil end

function Map:clear() self.content = {} end

function Map:rows()
  local rows = 0
  for _ in pairs(self.content) do rows = rows + 1 end
  return rows
end

-- Of the first byte of a key's canonical form: whole numbers that fit into it, short texts, larger whole numbers, longer texts.
local function rank(key)
  if type(key) == "string" and #key < 256 then return #key < 32 and 2 or 4 end
  assert(type(key) == "number" and key >= 0 and key % 1 == 0, "a key whose place in the order is not known here")
  return key < 128 and 1 or 3
end

local function comes_before(a, b)
  if rank(a) ~= rank(b) then return rank(a) < rank(b) end
  if type(a) == "string" and #a ~= #b then return #a < #b end
  return a < b
end

-- S52: the entries as they are now, whatever happens to them meanwhile.
local function iterate(map, answer)
  local keys, content, at = {}, copy(map.content), 0
  for key in pairs(content) do table.insert(keys, key) end
  table.sort(keys, comes_before)
  return function()
    at = at + 1
    local key = keys[at]
    if key ~= nil then return answer(key, content[key]) end
  end
end

function Map:keys()
  return iterate(self, function(key) return key end)
end

function Map:values()
  return iterate(self, function(_, value) return value end)
end

function Map:entries()
  return iterate(self, function(key, value) return key, value end)
end

M.value_state, M.reducing_state, M.aggregating_state = declares(Value, none), declares(Reducing, none), declares(Aggregating, none)
M.list_state, M.map_state = declares(List, empty), declares(Map, empty)

return M
