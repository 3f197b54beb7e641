--- Cells to Lua values (codec/cell.h says what a cell is); encode.lua goes the other way.
---
--- For every shape of row a decoder is generated: straight-line code over its
--- fields, which a trace can drop where the table does not escape. A place that has met
--- one shape only calls it as it is; all other tables are opaque (runtime/opaque.lua).
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local msgpack = require "moontide.runtime.msgpack"
local null = require "moontide.null"
local opaque = require "moontide.runtime.opaque"

local M = {}

local cell_pointer = ffi.typeof("struct cell *")
local ffi_string, ffi_cast = ffi.string, ffi.cast
local unpack_packed = msgpack.unpack

local decoders = {}    -- by shape
local lists = {}       -- by length

-- Tables in tables come as a tree of cells (codec/tree.h).
local tree, tree_node = ffi.new("struct arena"), ffi.new("struct cell")
local unpack_tree

-- The parentheses below keep calls from being tail calls: with those, a decoder that is reached from within a decoder
-- looks like recursion to the compiler, which then leaves the batch loop's trace.

--- The value of a cell whose bytes count from `bytes`.
local function decode(cell, bytes)
  local tag = cell.tag
  if tag == 4 then return cell.number end
  if tag == 7 then return ffi_string(bytes + cell.offset, cell.length) end
  if tag == 8 then return (opaque(decoders[cell.length](ffi_cast(cell_pointer, bytes + cell.offset), bytes))) end
  if tag == 3 then return true end
  if tag == 2 then return false end
  if tag == 1 then return null end
  if tag == 9 then return (unpack_tree(bytes + cell.offset, cell.length)) end
  if tag == 5 then return cell.integer + 0LL end
  if tag == 6 then return cell.natural + 0ULL end
  if tag == 10 then return (opaque(lists[cell.length](ffi_cast(cell_pointer, bytes + cell.offset), bytes))) end
  if tag == 11 then return (opaque(unpack_packed(bytes + cell.offset))) end
  return nil
end
M.decode = decode

-- A tree is read to its end before the next one is asked for.
function unpack_tree(packed, length)
  tree.used = 0
  check(C.tree_unpack(packed, length, tree, tree_node))
  local tag, bytes = tree_node.tag, tree.bytes
  if tag == 8 then return (opaque(decoders[tree_node.length](ffi_cast(cell_pointer, bytes + tree_node.offset), bytes))) end
  if tag == 10 then return (opaque(lists[tree_node.length](ffi_cast(cell_pointer, bytes + tree_node.offset), bytes))) end
  return (decode(tree_node, bytes))
end

-- The value of a slot of state that is neither a number nor a row: its bytes lie in its own payload.
local function decode_slot(slot)
  local tag = slot.tag
  if tag == 7 then return ffi_string(slot.payload, slot.length) end
  if tag == 9 then return (unpack_tree(slot.payload, slot.length)) end
  return (decode(slot, nil))
end

--- The names of a shape's fields, in its order.
---@param id integer
---@return string[]
function M.shape_names(id)
  local shape = C.shape_get(id)
  local names = {}
  for i = 0, shape.count - 1 do
    names[#names + 1] = ffi_string(shape.names[i].data, shape.names[i].bytes)
  end
  return names
end
local shape_names = M.shape_names

-- Chunks of generated code have at most 200 locals: a wide row is read in a loop.
local fields_straight_max = 60

-- Decoders of rows and of lists differ in their keys. `wanted`: the fields to decode, nil for all.
local function decoder_source(keys, wanted)
  local out, items = { "local decode, ffi_string = ...\nreturn function(cells, bytes)\n" }, {}
  for i, key in ipairs(keys) do
    local at = i - 1
    if wanted and not wanted[key] then goto next_field end
    out[#out + 1] = ("  local v%d\n  local t%d = cells[%d].tag\n"):format(i, i, at)
    out[#out + 1] = ("  if t%d == 4 then v%d = cells[%d].number\n"):format(i, i, at)
    out[#out + 1] = ("  elseif t%d == 7 then v%d = ffi_string(bytes + cells[%d].offset, cells[%d].length)\n"):format(i, i, at, at)
    out[#out + 1] = ("  else v%d = decode(cells[%d], bytes) end\n"):format(i, at)
    items[#items + 1] = (type(key) == "string" and "[%q] = v%d" or "v%d"):format(type(key) == "string" and key or i, i)
    ::next_field::
  end
  out[#out + 1] = ("  return { %s }\nend"):format(table.concat(items, ", "))
  return table.concat(out)
end

local function wide_decoder(names)
  return function(cells, bytes)
    local row = {}
    for i = 1, #names do row[names[i]] = decode(cells[i - 1], bytes) end
    return row
  end
end

local function make_decoder(id)
  local names = shape_names(id)
  if #names > fields_straight_max then return wide_decoder(names) end
  return assert(loadstring(decoder_source(names), "=row decoder"))(decode, ffi_string)
end

setmetatable(decoders, { __index = function(_, id)
  local decoder = make_decoder(id)
  decoders[id] = decoder
  return decoder
end })

local list_straight_max = 16

local function long_list_decoder(length)
  return function(cells, bytes)
    local list = {}
    for i = 1, length do list[i] = decode(cells[i - 1], bytes) end
    return list
  end
end

setmetatable(lists, { __index = function(cache, length)
  if length > list_straight_max then return long_list_decoder(length) end
  local keys = {}
  for i = 1, length do keys[i] = i end
  cache[length] = assert(loadstring(decoder_source(keys), "=list decoder"))(decode, ffi_string)
  return cache[length]
end })

local function make_partial_decoder(id, wanted)
  local names, count = shape_names(id), 0
  for _, name in ipairs(names) do count = count + (wanted[name] and 1 or 0) end
  if count == #names or count > fields_straight_max then return decoders[id] end
  return assert(loadstring(decoder_source(names, wanted), "=row decoder"))(decode, ffi_string)
end

local function decoders_of_fields(wanted)
  return setmetatable({}, { __index = function(cache, id)
    cache[id] = make_partial_decoder(id, wanted)
    return cache[id]
  end })
end

local function opaque_decoder(decoder)
  return function(cells, bytes) return (opaque(decoder(cells, bytes))) end
end

-- The decoders of a place by shape, each made by `make` when it is first met.
local function decoders_of_place(make)
  local shapes = 0
  return setmetatable({}, { __index = function(cache, id)
    local decoder = make(id)
    shapes = shapes + 1
    if shapes == 2 then
      local first, plain = next(cache)
      cache[first] = opaque_decoder(plain)
    end
    cache[id] = shapes == 1 and decoder or opaque_decoder(decoder)
    return cache[id]
  end })
end

--- As decode(), for a reader that sees only the fields `wanted` of a row (nil: all): the others are left out. Who sees
--- nothing but fields cannot keep the row, so that it need not be opaque.
---@param wanted table<string, true>?
---@return fun(cell: ffi.cdata*, bytes: ffi.cdata*): any
function M.decoder(wanted)
  local rows = wanted and decoders_of_fields(wanted) or decoders_of_place(function(id) return decoders[id] end)
  return function(cell, bytes)
    local tag = cell.tag
    if tag == 8 then return (rows[cell.length](ffi_cast(cell_pointer, bytes + cell.offset), bytes)) end
    if tag == 4 then return cell.number end
    return (decode(cell, bytes))
  end
end

--- The value of a slot of state, for one who may want to know which rows there are: `met` is called with the names of
--- each shape when it is first met, and with nothing for each packed value.
---@param met fun(names: string[]?)?
---@return fun(slot: ffi.cdata*): any
function M.slot_decoder(met)
  local rows = decoders_of_place(function(id)
    if met then met(shape_names(id)) end
    return decoders[id]
  end)
  return function(slot)
    local tag = slot.tag
    if tag == 4 then return slot.number end
    if tag == 8 then return (rows[slot.length](ffi_cast(cell_pointer, slot.payload), slot.payload)) end
    if tag == 9 and met then met() end
    return (decode_slot(slot))
  end
end

return M
