--- Packed tables on their way to Lua (codec/tree.h): the tree of the one that is read. It is read to its end before
--- the next one is asked for.
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local decoders = require "moontide.runtime.decoders"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"
local new_table = require "table.new"

local M = {}

local ffi_cast, double_pointer = ffi.cast, ffi.typeof("const double *")
local arena, root = ffi.new("struct arena"), ffi.new("struct cell")
local rounds_min = limits.rounds_min

--- Its offsets count from `arena.bytes`.
M.arena = arena

--- The root of the tree of so many packed bytes.
---@return ffi.cdata* struct cell
function M.unpack(packed, length)
  arena.used = 0
  check(C.tree_unpack(packed, length, arena, root))
  return root
end

local short = decoders.short_lists(function(length)
  local items = {}
  for i = 1, length do items[i] = ("numbers[%d]"):format(i - 1) end
  return generate(("return function(numbers) return { %s } end"):format(table.concat(items, ", ")), "=list decoder")
end)

--- A list of numbers alone, with room for one more: what was kept is often appended to. The numbers are found anew for
--- each element, as a number and not as a pointer, which would be made an object before the loop.
---@param offset number
---@param length integer
---@return number[]
function M.numbers(offset, length)
  local straight = short[length] or short(length)
  if straight then return (straight(ffi_cast(double_pointer, arena.bytes + offset))) end
  local list = new_table(length + 1, 0)
  for i = 1, math.max(length, rounds_min) do
    if i <= length then list[i] = ffi_cast(double_pointer, arena.bytes + offset)[i - 1] end
  end
  return list
end

return M
