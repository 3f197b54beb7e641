--- Decoders of lists (codec/tree.h) for readers that see only elements of fixed numbers, as used_fields.lua tells: the others
--- are left out. Such a reader cannot keep the list, so that a trace need not make it.
local ffi = require "ffi"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"

local cell_pointer, double_pointer = ffi.typeof("const struct cell *"), ffi.typeof("const double *")

local source = [[
local decode, ffi_cast, cell_pointer, double_pointer = ...
return function(root, bytes)
  local length = root.length
  local ELEMENTS
  if root.tag == 12 then
    local numbers = ffi_cast(double_pointer, bytes + root.offset)
    TAKE_NUMBERS
  else
    local cells = ffi_cast(cell_pointer, bytes + root.offset)
    TAKE_CELLS
  end
  return { ITEMS }
end
]]

-- A line for each of the numbers.
local function each(numbers, form, separator)
  local lines = {}
  for i, number in ipairs(numbers) do lines[i] = form:gsub("INDEX", number - 1):gsub("NUMBER", number) end
  return table.concat(lines, separator)
end

-- Wanted elements, and the number of the last one.
local function elements_of(wanted)
  local numbers, last = {}, 0
  for key in pairs(wanted) do
    if type(key) == "number" and key >= 1 then numbers[#numbers + 1], last = key, math.max(last, key) end
  end
  table.sort(numbers)
  return numbers, last
end

-- As elements of a list, which a trace finds again where they were put: those that nobody wants are nil.
local function items_of(wanted, last)
  local items = {}
  for number = 1, last do items[number] = wanted[number] and "v" .. number or "nil" end
  return table.concat(items, ", ")
end

--- What makes a table of the wanted elements; nil where that would be no straight line, or there are none.
---@param wanted table<string|integer, true>
---@param decode fun(cell: ffi.cdata*, bytes: ffi.cdata*): any of the elements
---@return (fun(root: ffi.cdata*, bytes: ffi.cdata*): table)? of a TREE_LIST or TREE_NUMBERS, whose offset counts from `bytes`
return function(wanted, decode)
  local numbers, last = elements_of(wanted)
  if last == 0 or last > limits.fields_straight_max then return nil end
  local parts = {
    ELEMENTS = each(numbers, "vNUMBER", ", "),
    TAKE_NUMBERS = each(numbers, "if length >= NUMBER then vNUMBER = numbers[INDEX] end", "\n    "),
    TAKE_CELLS = each(numbers, "if length >= NUMBER then vNUMBER = decode(cells[INDEX], bytes) end", "\n    "),
    ITEMS = items_of(wanted, last),
  }
  return generate((source:gsub("%u[%u_]+", parts)), "=list decoder", decode, ffi.cast, cell_pointer, double_pointer)
end
