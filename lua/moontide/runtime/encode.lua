--- Lua values to cells (codec/cell.h says what a cell is); values.lua goes the other way.
---
--- For every shape of row an encoder is generated: straight-line code over its
--- fields, which a trace can drop together with the table where that goes nowhere
--- else. Each place that encodes keeps the encoders that its tables need in a chain.
---
--- Tables in tables are written as a tree of cells (codec/tree.h) by encoders of the
--- same kind, and packed by C. `depth`: how many tables a value lies in, at most
--- depth_max; the fields of a record that is a row are at 0.
local ffi = require "ffi"
local C = require "moontide.engine"
local msgpack = require "moontide.runtime.msgpack"
local null = require "moontide.null"
local shape_names = require("moontide.runtime.values").shape_names

local M = {}

local cell_pointer = ffi.typeof("struct cell *")
local int64_t, uint64_t = ffi.typeof("int64_t"), ffi.typeof("uint64_t")
local ffi_cast, ffi_copy, ffi_istype = ffi.cast, ffi.copy, ffi.istype

-- Chunks of generated code have at most 200 locals: a wide row is read in a loop.
local fields_straight_max = 60
local list_straight_max = 16
local depth_max = 64

local tree, tree_node = ffi.new("struct arena"), ffi.new("struct cell")
local build

-- Room for `bytes` in an arena; the answer is their offset. As arena_allocate() in C.
local function allocate(arena, bytes)
  local start = arena.used + 7
  start = start - start % 8
  if start + bytes + 16 > arena.capacity then C.arena_grow(arena, bytes + 8) end
  arena.used = start + bytes
  return start
end

local function put_string(arena, text)
  local length, start = #text, arena.used
  if start + length + 16 > arena.capacity then C.arena_grow(arena, length) end
  ffi_copy(arena.bytes + start, text, length)
  arena.used = start + length
  return start
end

-- A table outside the tree is packed. Answers the cell's tag, length and offset.
local function put_packed(arena, value, place)
  tree.used = 0
  build(tree, tree_node, value, place, 1)
  local start = arena.used
  C.tree_pack(arena, tree_node, tree.bytes)
  return 9, arena.used - start, start
end

local function put_other(arena, row, index, value)
  local kind = type(value)
  local tag = 0
  if kind == "boolean" then
    tag = value and 3 or 2
  elseif value == null then
    tag = 1
  elseif ffi_istype(int64_t, value) then
    if value >= -9007199254740992LL and value <= 9007199254740992LL then tag = 4 else tag = 5 end
  elseif ffi_istype(uint64_t, value) then
    if value <= 9007199254740992ULL then tag = 4 elseif value <= 0x7fffffffffffffffULL then tag = 5 else tag = 6 end
  else
    error("a record cannot hold a " .. (kind == "cdata" and tostring(ffi.typeof(value)) or kind), 0)
  end
  local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
  cell.tag, cell.length = tag, 0
  if tag == 4 then cell.number = tonumber(value)
  elseif tag == 5 then cell.integer = value
  elseif tag == 6 then cell.natural = value
  end
end

-- Fields of records and those in the tree differ in what becomes of a table. Two functions made from their source:
-- one that called itself would not become part of the batch loop's trace.
local put_source = [[
local cell_pointer, ffi_cast, put_string, put_table, put_other, null = ...
return function(arena, row, index, value, places, depth)
  local kind = type(value)
  if kind == "number" then
    local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
    cell.tag = 4
    cell.number = value
  elseif kind == "string" then
    local offset = put_string(arena, value)
    local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
    cell.tag, cell.length = 7, #value
    cell.offset = offset
  elseif kind == "table" and value ~= null then
    local tag, length, offset = put_table(arena, value, places[index + 1], depth)
    local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
    cell.tag, cell.length = tag, length
    cell.offset = offset
  else
    put_other(arena, row, index, value)
  end
end
]]

local function put_with(put_table)
  return assert(loadstring(put_source, "=field encoder"))(cell_pointer, ffi_cast, put_string, put_table, put_other, null)
end

local put_field = put_with(function(arena, value, place)
  local tag, length, offset = put_packed(arena, value, place)
  return tag, length, offset
end)

local put_node = put_with(function(arena, value, place, depth)
  build(arena, tree_node, value, place, depth + 1)
  return tree_node.tag, tree_node.length, tree_node.offset
end)

-- All fields of the shape are there, and no others: those of `others` are nil.
local function check_source(names, others)
  local tests = {}
  for i = 1, #names do tests[#tests + 1] = ("v%d == nil"):format(i) end
  for _, name in ipairs(others) do tests[#tests + 1] = ("value[%q] ~= nil"):format(name) end
  return #tests > 0 and ("  if %s then return false end\n"):format(table.concat(tests, " or ")) or ""
end

-- It has all of them; that it has no others is seen by walking over as many keys. No loop: an inner loop would not become part of the batch loop's trace.
local function walk_source(names)
  local out = { "  local key = next(value)\n" }
  for _ = 2, #names do out[#out + 1] = "  key = next(value, key)\n" end
  out[#out + 1] = #names > 0 and "  if next(value, key) ~= nil then return false end\n" or "  if key ~= nil then return false end\n"
  return table.concat(out)
end

-- mt.null is an empty table, and no row.
local function null_source(names)
  return #names == 0 and "  if value == null then return false end\n" or ""
end

-- Encoders of rows and of lists differ in their keys and in the cell. They answer false if the table has other
-- keys. `others`: the only keys besides that it may have; nil: any.
local function encoder_source(keys, cell, others)
  local out = { "local allocate, put, next, null, places = ...\nreturn function(arena, target, value, depth)\n" }
  for i, key in ipairs(keys) do out[#out + 1] = (type(key) == "string" and "  local v%d = value[%q]\n" or "  local v%d = value[%d]\n"):format(i, key) end
  out[#out + 1] = null_source(keys)
  out[#out + 1] = check_source(keys, others or {})
  if not others then out[#out + 1] = walk_source(keys) end
  out[#out + 1] = ("  local row = allocate(arena, %d)\n"):format(#keys * 16)
  for i = 1, #keys do out[#out + 1] = ("  put(arena, row, %d, v%d, places, depth)\n"):format(i - 1, i) end
  out[#out + 1] = ("  target.tag, target.length = %d, %d\n  target.offset = row\n  return true\nend"):format(cell.tag, cell.length)
  return table.concat(out)
end

local function wide_encoder(put, id, names, places)
  return function(arena, target, value, depth)
    local count = 0
    for _ in pairs(value) do count = count + 1 end
    if count ~= #names then return false end
    for i = 1, #names do
      if value[names[i]] == nil then return false end
    end
    local row = allocate(arena, #names * 16)
    for i = 1, #names do put(arena, row, i - 1, value[names[i]], places, depth) end
    target.tag, target.length = 8, id
    target.offset = row
    return true
  end
end

-- Places of tables in the tree.
local function places_of(count)
  local places = {}
  for i = 1, count do
    places[i] = M.place()
    places[i].put = put_node
  end
  return places
end

local function make_encoder(put, id, names, others)
  local places = places_of(#names)
  if #names > fields_straight_max then return wide_encoder(put, id, names, places) end
  local text = encoder_source(names, { tag = 8, length = id }, others)
  return assert(loadstring(text, "=row encoder"))(allocate, put, next, null, places)
end

local function make_list_encoder(put, length)
  local keys = {}
  for i = 1, length do keys[i] = i end
  local text = encoder_source(keys, { tag = 10, length = length })
  return assert(loadstring(text, "=list encoder"))(allocate, put, next, null, places_of(length))
end

-- Of records of which nothing is known beforehand, by shape.
local encoders = setmetatable({}, { __index = function(cache, id)
  local encoder = make_encoder(put_field, id, shape_names(id))
  rawset(cache, id, encoder)
  return encoder
end })

local shape_none = 0xffffffff

-- The shape of a table all of whose keys are strings, else nil.
local function shape_of(value)
  local names = {}
  for key in pairs(value) do
    if type(key) ~= "string" then return nil end
    names[#names + 1] = key
  end
  table.sort(names)
  local slices = ffi.new("struct slice[?]", #names + 1)
  for i, name in ipairs(names) do
    slices[i - 1].data, slices[i - 1].bytes = name, #name
  end
  local id = C.shape_intern(slices, #names)
  return id ~= shape_none and id or nil
end

---@class EncodingPlace what a place that encodes remembers of its tables
---@field fields table<string, true>? the only fields that they can have; nil: not known
---@field rows fun(arena, target, value): boolean tries the encoders of the shapes met so far
---@field shapes integer[] the same shapes; a list of n elements stands as -n
---@field misses integer tables of other shapes since there was no room for more
---@field put function writes a field
---@field packed EncodingPlace? of a record that is no row
local chain_max, misses_max = 8, 1000

local function no_rows() return false end

--- A place that encodes. `fields`: all that its tables can have (runtime/made_fields.lua), nil if that is not known.
---@param fields table<string, true>?
---@return EncodingPlace
function M.place(fields)
  return { fields = fields, put = put_field, rows = no_rows, shapes = {}, misses = 0 }
end

-- The fields that a table of this place may have besides those of the shape; nil: any.
local function others_of(place, names)
  if not place.fields then return nil end
  local others, own = {}, {}
  for _, name in ipairs(names) do own[name] = true end
  for name in pairs(place.fields) do
    if not own[name] then others[#others + 1] = name end
  end
  return others
end

local function encoder_at(place, id)
  if id < 0 then return make_list_encoder(place.put, -id) end
  local names = shape_names(id)
  local others = others_of(place, names)
  if place.put == put_field and not others then return encoders[id] end
  return make_encoder(place.put, id, names, others)
end

-- Straight-line code that tries one encoder after the other: a table of several shapes' place is encoded by side traces.
local function chain(place)
  local parameters, tries, list = {}, {}, {}
  for i, id in ipairs(place.shapes) do
    list[i], parameters[i], tries[i] = encoder_at(place, id), "e" .. i, ("e%d(arena, target, value, depth)"):format(i)
  end
  local text = ("local %s = ...\nreturn function(arena, target, value, depth)\n  return (%s)\nend"):format(table.concat(parameters, ", "), table.concat(tries, " or "))
  return assert(loadstring(text, "=row encoders"))(unpack(list))
end

--- From now on the tables of this place may have any fields.
---@param place EncodingPlace
function M.forget_fields(place)
  if not place.fields then return end
  place.fields = nil
  if #place.shapes > 0 then place.rows = chain(place) end
end

local function remember(place, id)
  place.shapes[#place.shapes + 1] = id
  place.rows = chain(place)
end

-- The table is encoded by now. Where shapes come and go, those of long ago are given up.
local function met(place, id)
  if #place.shapes < chain_max then return remember(place, id) end
  place.misses = place.misses + 1
  if place.misses < misses_max then return end
  place.shapes, place.misses = {}, 0
  remember(place, id)
end

-- Into the tree, at a place that has not met a table like it. A map that serves as a dictionary would use shapes up, so
-- there is no end of new ones: beyond the first few a map is packed as it is.
local function build_other(arena, target, value, place, depth)
  if #place.shapes < chain_max then
    local length = msgpack.list_length(value)
    local id = length and -length or shape_of(value)
    if id and id >= -list_straight_max then
      remember(place, id)
      place.rows(arena, target, value, depth)
      return
    end
  end
  local start = arena.used
  msgpack.pack(arena, value, depth)
  target.tag, target.length = 11, arena.used - start
  target.offset = start
end

function build(arena, target, value, place, depth)
  if depth > depth_max then error(("a table is nested deeper than %d levels (or holds itself)"):format(depth_max), 0) end
  if not place.rows(arena, target, value, depth) then build_other(arena, target, value, place, depth) end
end

-- A table of a shape that the place has not met, or of none.
local function encode_other(arena, target, value, place)
  if value == null then
    target.tag = 1
    return
  end
  local id = #value == 0 and shape_of(value) or nil
  if id then
    encoders[id](arena, target, value, 0)
    return met(place, id)
  end
  place.packed = place.packed or places_of(1)[1]
  local tag, length, offset = put_packed(arena, value, place.packed)
  target.tag, target.length = tag, length
  target.offset = offset
end

local function encode_cdata(target, value)
  if ffi_istype(int64_t, value) then
    if value >= -9007199254740992LL and value <= 9007199254740992LL then
      target.tag, target.number = 4, tonumber(value)
    else
      target.tag, target.integer = 5, value
    end
  elseif ffi_istype(uint64_t, value) then
    if value <= 9007199254740992ULL then
      target.tag, target.number = 4, tonumber(value)
    elseif value <= 0x7fffffffffffffffULL then
      target.tag, target.integer = 5, ffi_cast(int64_t, value)
    else
      target.tag, target.natural = 6, value
    end
  else
    error("a record cannot be cdata of type " .. tostring(ffi.typeof(value)), 0)
  end
end

--- Write a value into the cell `target`, its bytes into `arena`.
---@param place EncodingPlace the caller's own
function M.encode(arena, target, value, place)
  local kind = type(value)
  if kind == "number" then
    target.tag = 4
    target.number = value
  elseif kind == "string" then
    local offset = put_string(arena, value)
    target.tag, target.length = 7, #value
    target.offset = offset
  elseif kind == "table" then
    if not place.rows(arena, target, value, 0) then encode_other(arena, target, value, place) end
  elseif kind == "boolean" then
    target.tag = value and 3 or 2
  elseif kind == "cdata" then
    encode_cdata(target, value)
  else
    error("a record cannot be a " .. kind, 0)
  end
end

return M
