--- Functions that copy values which are read time and again. What is known of a value when its function is made
--- becomes straight-line code. Values alike, with the same names at the same places, share one. Those of one state need
--- not be alike: copies are opaque.
local copy = require "moontide.runtime.copy"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"
local opaque = require "moontide.runtime.opaque"
local shapes = require "moontide.runtime.shapes"

local sources_max = 64

local copiers, count = {}, 0

local function is_leaf(value) return type(value) ~= "table" or getmetatable(value) == "null" end

local function size_of(value)
  local size = 0
  for _ in pairs(value) do size = size + 1 end
  return size
end

local expression

local function list_expression(value, path, level)
  local items = {}
  for i = 1, #value do items[i] = expression(value[i], ("%s[%d]"):format(path, i), level) end
  return ("{ %s }"):format(table.concat(items, ", "))
end

local function fields_expression(value, names, path, level)
  local items = {}
  for i, name in ipairs(names) do items[i] = ("[%q] = %s"):format(name, expression(value[name], ("%s[%q]"):format(path, name), level)) end
  return ("{ %s }"):format(table.concat(items, ", "))
end

-- Of a table that is too large, or is neither a list nor fields: the code for all of them.
function expression(value, path, level)
  if is_leaf(value) then return path end
  local size = size_of(value)
  if level < limits.levels_max and size > 0 then
    if size == #value and size <= limits.short_max then return list_expression(value, path, level + 1) end
    local names = shapes.keys(value)
    if names and size <= limits.fields_straight_max then return fields_expression(value, names, path, level + 1) end
  end
  return ("copy(%s)"):format(path)
end

local source = [[
local copy, opaque = ...
return function(value) return (opaque(EXPRESSION)) end
]]

local function opaque_copy(value) return (opaque(copy(value))) end

local function make(form)
  if count == sources_max then return opaque_copy end
  count = count + 1
  copiers[form] = generate((source:gsub("EXPRESSION", function() return form end)), "=copiers", copy, opaque)
  return copiers[form]
end

local function same(value) return value end

-- Has no table in it, if it is one.
local function is_flat(value)
  for _, field in pairs(is_leaf(value) and {} or value) do
    if not is_leaf(field) then return false end
  end
  return true
end

local M = {}

--- What copies this value, and all that are like it. No number in it is -0, which state does not keep.
---@param value any of state: no table comes twice in it
---@return fun(value: any): any
function M.of(value)
  if is_leaf(value) then return same end
  local form = expression(value, "value", 0)
  return copiers[form] or make(form)
end

--- What hands a value out to who only takes fields of it: the value itself, unless a field is a table.
---@param value any of state
---@return fun(value: any): any
function M.to_read(value)
  return is_flat(value) and same or M.of(value)
end

return M
