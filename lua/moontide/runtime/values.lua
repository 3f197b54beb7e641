--- Cells to Lua values (codec/cell.h says what a cell is); encode.lua goes the other way.
---
--- For every shape of row a decoder is generated: straight-line code over its
--- fields, which a trace can drop where the table does not escape.
local ffi = require "ffi"
local C = require "moontide.engine"
local msgpack = require "moontide.runtime.msgpack"
local null = require "moontide.null"

local M = {}

local cell_pointer = ffi.typeof("struct cell *")
local ffi_string, ffi_cast = ffi.string, ffi.cast
local unpack_packed = msgpack.unpack

local decoders = {}    -- by shape

--- The value of a cell whose bytes count from `bytes`.
local function decode(cell, bytes)
  local tag = cell.tag
  if tag == 4 then return cell.number end
  if tag == 7 then return ffi_string(bytes + cell.offset, cell.length) end
  if tag == 8 then return decoders[cell.length](ffi_cast(cell_pointer, bytes + cell.offset), bytes) end
  if tag == 3 then return true end
  if tag == 2 then return false end
  if tag == 1 then return null end
  if tag == 9 then return (unpack_packed(bytes + cell.offset)) end
  if tag == 5 then return cell.integer + 0LL end
  if tag == 6 then return cell.natural + 0ULL end
  return nil
end
M.decode = decode

--- The value of a slot of state: its bytes lie in its own payload.
function M.decode_slot(slot)
  local tag = slot.tag
  if tag == 4 then return slot.number end
  if tag == 8 then return decoders[slot.length](ffi_cast(cell_pointer, slot.payload), slot.payload) end
  if tag == 7 then return ffi_string(slot.payload, slot.length) end
  if tag == 9 then return (unpack_packed(slot.payload)) end
  return decode(slot, nil)
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

-- `wanted`: the fields to decode, nil for all.
local function decoder_source(names, wanted)
  local out = { "local decode, ffi_string = ...\nreturn function(cells, bytes)\n" }
  for i = 1, #names do
    local at = i - 1
    if wanted and not wanted[names[i]] then goto next_field end
    out[#out + 1] = ("  local v%d\n  local t%d = cells[%d].tag\n"):format(i, i, at)
    out[#out + 1] = ("  if t%d == 4 then v%d = cells[%d].number\n"):format(i, i, at)
    out[#out + 1] = ("  elseif t%d == 7 then v%d = ffi_string(bytes + cells[%d].offset, cells[%d].length)\n"):format(i, i, at, at)
    out[#out + 1] = ("  else v%d = decode(cells[%d], bytes) end\n"):format(i, at)
    ::next_field::
  end
  out[#out + 1] = "  return {"
  for i, name in ipairs(names) do
    if not wanted or wanted[name] then out[#out + 1] = ("[%q] = v%d, "):format(name, i) end
  end
  out[#out + 1] = "}\nend"
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

local function make_partial_decoder(id, wanted)
  local names, count = shape_names(id), 0
  for _, name in ipairs(names) do count = count + (wanted[name] and 1 or 0) end
  if count == #names or count > fields_straight_max then return decoders[id] end
  return assert(loadstring(decoder_source(names, wanted), "=row decoder"))(decode, ffi_string)
end

--- As decode(), for a reader that sees only the fields `wanted` of a row (nil: all): the others are left out.
---@param wanted table<string, true>?
---@return fun(cell: ffi.cdata*, bytes: ffi.cdata*): any
function M.decoder(wanted)
  if not wanted then return decode end
  local partial = setmetatable({}, { __index = function(cache, id)
    local decoder = make_partial_decoder(id, wanted)
    rawset(cache, id, decoder)
    return decoder
  end })
  return function(cell, bytes)
    local tag = cell.tag
    if tag == 8 then return partial[cell.length](ffi_cast(cell_pointer, bytes + cell.offset), bytes) end
    if tag == 4 then return cell.number end
    return decode(cell, bytes)
  end
end

--- As decode_slot(), for one who wants to know which rows there are: `met` is called with the names of each shape
--- when it is first met, and with nothing for each packed value.
---@param met fun(names: string[]?)
---@return fun(slot: ffi.cdata*): any
function M.slot_decoder(met)
  local rows = setmetatable({}, { __index = function(cache, id)
    met(shape_names(id))
    rawset(cache, id, decoders[id])
    return cache[id]
  end })
  return function(slot)
    local tag = slot.tag
    if tag == 4 then return slot.number end
    if tag == 8 then return rows[slot.length](ffi_cast(cell_pointer, slot.payload), slot.payload) end
    if tag == 9 then met() end
    return M.decode_slot(slot)
  end
end

return M
