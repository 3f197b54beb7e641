--- The elements of a window that has an evictor: records, each with its time and, of two inputs, its side
--- (engine/state/window_list.h).
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local encoding = require "moontide.runtime.encode"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"
local new_table = require "table.new"
local times = require "moontide.runtime.times"

local source = [[
local panes, decode, encode, place, C, check, times, new_table, max, rounds_min, ffi = ...
local from_engine, to_engine, none = times.from_engine, times.to_engine, times.none
local cell_pointer, ffi_cast, indices_type = ffi.typeof "struct cell *", ffi.cast, ffi.typeof "uint32_t[?]"
local kept_count = 256
local kept_indices = indices_type(kept_count) -- of usual windows: no garbage for each
local Elements = {}

function Elements:is_empty()
  return panes.entries[panes.index].slots[0].tag == 0
end

-- Answers how many there are; three cells of each lie in the scratch memory.
local function read()
  panes.scratch.used = 0
  check(C.window_list_get(panes.state, panes.entries[panes.index], 0, panes.scratch, panes.cell))
  return panes.cell.length
end

--- All of them with their times, in the order in which they came.
function Elements:get()
  READ(elements, { value = value, timestamp = from_engine(cells[at + 1].integer) })
end

--- Their values alone.
function Elements:values()
  READ(values, value)
end

--- Keep the last ones, at most so many.
function Elements:keep_last(count)
  check(C.window_list_keep_last(panes.state, panes.entries[panes.index], 0, count))
end

--- Keep those of all elements that are in `kept`, in the same order.
function Elements:keep(elements, kept)
  local count = #kept
  if count == #elements then return end
  local indices = count <= kept_count and kept_indices or indices_type(count)
  local found = 0
  for i = 1, max(#elements, rounds_min) do
    if found < count and kept[found + 1] == elements[i] then
      indices[found] = i - 1
      found = found + 1
    end
  end
  check(C.window_list_keep(panes.state, panes.entries[panes.index], 0, indices, count))
end

--- Have these instead.
function Elements:update(elements)
  check(C.list_state_clear(panes.state, panes.entries[panes.index], 0))
  for i = 1, #elements do
    local value, time, input = elements[i].value, elements[i].timestamp, 0
    ENCODED_SIDE
    panes.scratch.used = 0
    encode(panes.scratch, panes.cell, value, place)
    time = time == nil and none or to_engine(time)
    check(C.window_list_add(panes.state, panes.entries[panes.index], 0, panes.cell, panes.scratch.bytes, time, input))
  end
end

return Elements
]]

-- Each has a loop of its own, for the sake of its traces.
local read_text = [[
local count, bytes = read(), panes.scratch.bytes
  local LIST, cells = new_table(count, 0), ffi_cast(cell_pointer, bytes + panes.cell.offset)
  for i = 1, max(count, rounds_min) do
    if i <= count then
      local at = i * 3 - 3
      local value = decode(cells[at], bytes)
      DECODED_SIDE
      LIST[i] = ITEM
    end
  end
  return LIST]]
source = source:gsub("READ%((%w+), (.-)%)\n", function(list, item)
  return read_text:gsub("LIST", list):gsub("ITEM", item) .. "\n"
end)

local sides = {
  DECODED_SIDE = "if cells[at + 2].integer == 0 then value = { left = value } else value = { right = value } end",
  ENCODED_SIDE = "if value.left ~= nil then value = value.left else value, input = value.right, 1 end",
}
local no_sides = { DECODED_SIDE = "", ENCODED_SIDE = "" }

--- The elements of the pane at hand.
---@param panes ffi.cdata* struct call
---@param has_sides boolean do they show themselves by their side?
---@param decode fun(cell: ffi.cdata*, bytes: ffi.cdata*): any
---@return table
return function(panes, has_sides, decode)
  return generate(source:gsub("%u+_SIDE", has_sides and sides or no_sides), "=elements of a window", panes, decode, encoding.encode, encoding.state_place(),
    C, check, times, new_table, math.max, limits.rounds_min, ffi)
end
