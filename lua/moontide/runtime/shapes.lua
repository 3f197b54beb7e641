--- Sets of field names (codec/shape.h).
local ffi = require "ffi"
local C = require "moontide.engine"
local limits = require "moontide.runtime.table_limits"

local M = {}

local shape_none, rounds_min = 0xffffffff, limits.rounds_min

--- The names of a shape's fields, in its order. In a loop that compiled code may meet (runtime/decoders.lua).
---@param id integer
---@return string[]
function M.names(id)
  local shape, names = C.shape_get(id), {}
  local count = tonumber(shape.count)
  for i = 1, math.max(count, rounds_min) do
    if i <= count then names[i] = ffi.string(shape.names[i - 1].data, shape.names[i - 1].bytes) end
  end
  return names
end

--- The keys of a table in order, if all of them are strings, else nil.
---@param value table
---@return string[]?
function M.keys(value)
  local names = {}
  for key in pairs(value) do
    if type(key) ~= "string" then return nil end
    names[#names + 1] = key
  end
  table.sort(names)
  return names
end

--- The shape of a table all of whose keys are strings, else nil.
---@param value table
---@return integer?
function M.of(value)
  local names = M.keys(value)
  if not names then return nil end
  local slices = ffi.new("struct slice[?]", #names + 1)
  for i, name in ipairs(names) do
    slices[i - 1].data, slices[i - 1].bytes = name, #name
  end
  local id = C.shape_intern(slices, #names)
  return id ~= shape_none and id or nil
end

return M
