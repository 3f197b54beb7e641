--- Arithmetic over the numbers that records have: doubles, and 64-bit integers
--- that do not fit one, which arrive as cdata.
---
--- LuaJIT turns a double that meets an int64_t into an int64_t, which drops its
--- fraction in silence, and 64-bit sums wrap around. Both are errors here.
local ffi = require "ffi"
local describe = require "moontide.describe"

local M = {}

local int64, uint64 = ffi.typeof("int64_t"), ffi.typeof("uint64_t")

local function is_wide(value)
  return ffi.istype(int64, value) or ffi.istype(uint64, value)
end

--- Is it a number, of whatever width?
---@param value any
---@return boolean
function M.is(value)
  return type(value) == "number" or (type(value) == "cdata" and is_wide(value))
end

local function to_int64(value)
  if type(value) == "number" and (value % 1 ~= 0 or math.abs(value) > 2 ^ 53) then
    error(("cannot add %s to a 64-bit integer exactly"):format(tostring(value)), 0)
  end
  if ffi.istype(uint64, value) and value > 0x7fffffffffffffffULL then error("the sum does not fit 64 bits", 0) end
  return int64(value)
end

local function add_wide(a, b)
  local x, y = to_int64(a), to_int64(b)
  local sum = x + y
  if (x < 0) == (y < 0) and (sum < 0) ~= (x < 0) then error("the sum does not fit 64 bits", 0) end
  return sum
end

--- The sum; 64-bit integers stay exact, and a sum that cannot be is an error.
function M.add(a, b)
  if type(a) == "number" and type(b) == "number" then return a + b end
  return add_wide(a, b)
end

--- Is a less than b? Across widths, too.
function M.less(a, b)
  if type(a) == "number" and type(b) == "number" then return a < b end
  local x, y = tonumber(a), tonumber(b)
  if x ~= y or type(a) == "number" or type(b) == "number" then return x < y end
  -- Equal as doubles and both wide: the same sign, so that comparing unsigned is right for either type.
  return uint64(a) < uint64(b)
end

--- Raise: a field of a record is no number.
---@param operator string
---@param field string
---@param value any
function M.refuse_field(operator, field, value)
  error(("%s: field '%s' must be a number, got %s"):format(operator, field, describe(value)), 0)
end

return M
