--- List state, bound to a step's call cell (S51).
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local check_list = require "moontide.runtime.check_list"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local no_key = require "moontide.runtime.no_key"
local encoding = require "moontide.runtime.encode"
local values = require "moontide.runtime.values"

local cells_type = ffi.typeof("struct cell[?]")
local kept_count = 1024
local kept_cells = cells_type(kept_count) -- for lists of usual lengths: no garbage for each

local ListState = {}

local function entry_of(call)
  local entries = call.entries
  if entries == nil then no_key() end
  return entries[call.index]
end

--- The elements as a Lua list: empty if there are none.
function ListState:get()
  local call, entry, list = self.call, entry_of(self.call), {}
  local cursor, scratch, cell = self.cursor, call.scratch, call.cell
  cursor.chunk, cursor.offset = 0, 0
  while true do
    scratch.used = 0
    if check(C.list_state_next(call.state, entry, self.slot, cursor, scratch, cell)) == 0 then return list end
    list[#list + 1] = values.decode(cell, scratch.bytes)
  end
end

function ListState:add(value)
  if value == nil then error("list state: nil cannot be an element (mt.null can)", 2) end
  local call, entry = self.call, entry_of(self.call)
  call.scratch.used = 0
  encoding.encode(call.scratch, call.cell, value, self.place)
  check(C.list_state_add(call.state, entry, self.slot, call.cell, call.scratch.bytes))
end

-- All elements as cells before the first is added: one that cannot be stored changes nothing.
local function encode_all(self, list, length)
  local scratch, cells = self.call.scratch, length <= kept_count and kept_cells or cells_type(length)
  scratch.used = 0
  for i = 1, length do encoding.encode(scratch, cells + (i - 1), list[i], self.place) end
  return cells
end

local function add_cells(self, entry, cells, length)
  local call = self.call
  for i = 0, length - 1 do check(C.list_state_add(call.state, entry, self.slot, cells + i, call.scratch.bytes)) end
end

function ListState:add_all(list)
  local entry, length = entry_of(self.call), check_list(list)
  add_cells(self, entry, encode_all(self, list, length), length)
end

function ListState:update(list)
  local entry, length = entry_of(self.call), check_list(list)
  local cells = encode_all(self, list, length)
  self:clear()
  add_cells(self, entry, cells, length)
end

function ListState:clear()
  check(C.list_state_clear(self.call.state, entry_of(self.call), self.slot))
end

return function(call, slot_index)
  local fields = { call = call, slot = slot_index, place = encoding.place(), cursor = ffi.new("struct list_cursor") }
  return lend(call, methods(ListState, "a list state", fields))
end
