--- Map state, bound to a step's call cell (S51, S52). Made anew for each state,
--- as value state is, for the sake of its traces.
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local check_map = require "moontide.runtime.check_map"
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local no_key = require "moontide.runtime.no_key"
local encoding = require "moontide.runtime.encode"
local garbage = require "moontide.runtime.garbage"
local values = require "moontide.runtime.values"

local spare_bytes_max = 64 * 1024

local source = [[
local call, slot_index, ffi, C, check, check_map, no_key, values, encoding, garbage, spare_bytes_max = ...
local decode, decode_slot, encode = values.decode, values.slot_decoder(), encoding.encode
local key_place, value_place = encoding.place(), encoding.state_place()
local found = ffi.new("const struct cell *[1]")
local cell, scratch = call.cell, call.scratch
local MapState = {}

local function entry_of()
  local entries = call.entries
  if entries == nil then no_key() end
  return entries[call.index]
end

local function set_key(entry, key)
  local kind = type(key)
  local status
  if kind == "number" then
    status = C.map_key_number(call.state, entry, key)
  elseif kind == "string" then
    status = C.map_key_string(call.state, entry, key, #key)
  else
    if key == nil then error("map state: nil cannot be a key", 3) end
    scratch.used = 0
    encode(scratch, cell, key, key_place)
    status = C.map_key_cell(call.state, entry, cell, scratch.bytes)
  end
  if status < 0 then check(status) end
end

function MapState:get(key)
  local entry = entry_of()
  set_key(entry, key)
  local status = C.map_state_get(call.state, entry, slot_index, found)
  if status < 0 then check(status) end
  local slot = found[0]
  if slot == nil then return nil end
  return (decode_slot(slot))
end

function MapState:contains(key)
  local entry = entry_of()
  set_key(entry, key)
  check(C.map_state_get(call.state, entry, slot_index, found))
  return found[0] ~= nil
end

function MapState:put(key, value)
  if value == nil then error("map state: nil cannot be a value (remove removes; mt.null can be one)", 2) end
  local entry = entry_of()
  set_key(entry, key)
  scratch.used = 0
  encode(scratch, cell, value, value_place)
  local status = C.map_state_put(call.state, entry, slot_index, cell, scratch.bytes)
  if status < 0 then check(status) end
end

-- What cannot be stored is met before the first entry is put: it changes nothing.
function MapState:put_all(map)
  check_map(map)
  local entry = entry_of()
  for key, value in pairs(map) do
    set_key(entry, key)
    scratch.used = 0
    encode(scratch, cell, value, value_place)
  end
  for key, value in pairs(map) do self:put(key, value) end
end

function MapState:remove(key)
  local entry = entry_of()
  set_key(entry, key)
  check(C.map_state_remove(call.state, entry, slot_index))
end

function MapState:is_empty()
  return C.map_state_count(entry_of(), slot_index) == 0
end

function MapState:clear()
  check(C.map_state_clear(call.state, entry_of(), slot_index))
end

-- An iteration is an object that is called: a closure for each could not be compiled. Its iterator serves the next one
-- once it is used up, if it has not become large; one that is left before its end is freed when it is collected.
local pair, bytes = ffi.new("struct cell[2]"), ffi.new("const char *[1]")
local spare

local function new_iterator() return ffi.gc(C.map_iterator_new(), C.map_iterator_free) end

local function count_open() return C.map_iterations_open(call.state) end

local function begin(class)
  local iterator = spare or new_iterator()
  spare = nil
  local open = check(C.map_state_iterate(call.state, entry_of(), slot_index, call.index, iterator))
  if open > garbage.open_max then garbage.left_open(count_open) end
  local held = tonumber(C.map_iterator_bytes(iterator))
  garbage.took(held)
  return setmetatable({ iterator = iterator, held = held }, class)
end

local function finish(iteration)
  local iterator = iteration.iterator
  garbage.gave(iteration.held)
  if C.map_iterator_bytes(iterator) > spare_bytes_max then C.map_iterator_free(ffi.gc(iterator, nil)) else spare = iterator end
  iteration.iterator = false
end

local function next_pair(iteration)
  local iterator = iteration.iterator
  if not iterator then return false end
  if check(C.map_iterator_next(iterator, call.index, pair, pair + 1, bytes)) > 0 then return true end
  finish(iteration)
  return false
end

local Keys = { __call = function(iteration)
  if not next_pair(iteration) then return nil end
  return (decode(pair[0], bytes[0]))
end }

local Values = { __call = function(iteration)
  if not next_pair(iteration) then return nil end
  return (decode(pair[1], bytes[0]))
end }

local Entries = { __call = function(iteration)
  if not next_pair(iteration) then return nil end
  return decode(pair[0], bytes[0]), decode(pair[1], bytes[0])
end }

function MapState:keys() return (begin(Keys)) end
function MapState:values() return (begin(Values)) end
function MapState:entries() return (begin(Entries)) end

return MapState
]]

return function(call, slot_index)
  local class = generate(source, "=map_state", call, slot_index, ffi, C, check, check_map, no_key, values, encoding, garbage, spare_bytes_max)
  return lend(call, methods(class, "a map state"))
end
