--- List state, bound to a step's call cell (S51). Made anew for each state, as map state is, for the sake of its traces.
---
--- LuaJIT gives up a loop that is hardly ever gone through twice, and with it all that calls it. Elements of short lists
--- are therefore read and written by code without loops, and loops go on for some rounds at least (runtime/table_limits.lua).
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local check_list = require "moontide.runtime.check_list"
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local new_table = require "table.new"
local limits = require "moontide.runtime.table_limits"
local no_key = require "moontide.runtime.no_key"
local null = require "moontide.null"
local encoding = require "moontide.runtime.encode"
local values = require "moontide.runtime.values"

local straight_max = 8 -- longer ones are gone through in a loop
-- What reads two tables or more in a straight line is often too much for one trace, together with what is done with them.
local straight_tables_max = 1

local source = [[
local call, slot_index, straight_max, straight_tables_max, rounds_min, max, ffi, C, check, check_list, new_table, no_key, null, values, encoding = ...
local decode, encode, place = values.decode, encoding.encode, encoding.state_place()
local ffi_cast, next = ffi.cast, next
local cell_pointer, cells_type = ffi.typeof "struct cell *", ffi.typeof "struct cell[?]"
local kept_count = 1024
local kept_cells = cells_type(kept_count) -- for lists of usual lengths: no garbage for each
local ListState = {}

local function entry_of()
  local entries = call.entries
  if entries == nil then no_key() end
  return entries[call.index]
end

local function decode_short(list, cells, bytes, count)
DECODE_SHORT
end

--- The elements as a Lua list: empty if there are none.
function ListState:get()
  local scratch, cell = call.scratch, call.cell
  scratch.used = 0
  check(C.list_state_get(call.state, entry_of(), slot_index, scratch, cell))
  local count, bytes = cell.length, scratch.bytes
  local list, cells = new_table(count, 0), ffi_cast(cell_pointer, bytes + cell.offset)
  if count <= straight_max and (count <= straight_tables_max or cells[0].tag < 8) then
    decode_short(list, cells, bytes, count)
  else
    for i = 1, max(count, rounds_min) do
      if i <= count then list[i] = decode(cells[i - 1], bytes) end
    end
  end
  return list
end

-- True: it is a list of this length.
local function encode_short(list, length)
  local scratch, key = call.scratch, nil
ENCODE_SHORT
  return next(list, key) == nil
end

-- Length and elements as cells: what is no list, or has an element that cannot be stored, changes nothing.
local function encode_all(list)
  local length = type(list) == "table" and list ~= null and #list or straight_max + 1
  call.scratch.used = 0
  if length <= straight_max and encode_short(list, length) then return length, kept_cells end
  check_list(list, 4)
  local cells = length <= kept_count and kept_cells or cells_type(length)
  for i = 1, length do encode(call.scratch, cells + (i - 1), list[i], place) end
  return length, cells
end

local function append(entry, cells, length)
  check(C.list_state_add(call.state, entry, slot_index, cells, length, call.scratch.bytes))
end

function ListState:add(value)
  if value == nil then error("list state: nil cannot be an element (mt.null can)", 2) end
  local entry = entry_of()
  call.scratch.used = 0
  encode(call.scratch, call.cell, value, place)
  append(entry, call.cell, 1)
end

function ListState:add_all(list)
  local entry = entry_of()
  local length, cells = encode_all(list)
  append(entry, cells, length)
end

function ListState:update(list)
  local entry = entry_of()
  local length, cells = encode_all(list)
  self:clear()
  append(entry, cells, length)
end

function ListState:clear()
  check(C.list_state_clear(call.state, entry_of(), slot_index))
end

return ListState
]]

local function straight(line)
  local lines = {}
  for i = 1, straight_max do lines[i] = line:gsub("%$0", i - 1):gsub("%$1", i) end
  return table.concat(lines, "\n")
end

source = source:gsub("DECODE_SHORT", straight "  if count == $0 then return end list[$1] = decode(cells[$0], bytes)")
source = source:gsub("ENCODE_SHORT", straight [[
  if length >= $1 then
    local value = list[$1]
    if value == nil then return false end
    encode(scratch, kept_cells + $0, value, place)
    key = next(list, key)
  end]])

return function(call, slot_index)
  local class = generate(source, "=list_state", call, slot_index, straight_max, straight_tables_max, limits.rounds_min, math.max, ffi, C, check, check_list,
    new_table, no_key, null, values, encoding)
  return lend(call, methods(class, "a list state"))
end
