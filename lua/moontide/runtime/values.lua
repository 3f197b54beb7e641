--- Cells to Lua values and back (codec/cell.h says what a cell is).
---
--- For every shape of row a decoder and an encoder are generated: straight-line
--- code over its fields, which a trace can drop where the table does not escape.
local ffi = require "ffi"
local C = require "moontide.engine"
local msgpack = require "moontide.runtime.msgpack"
local null = require "moontide.null"

local M = {}

local cell_pointer = ffi.typeof("struct cell *")
local int64_t, uint64_t = ffi.typeof("int64_t"), ffi.typeof("uint64_t")
local ffi_string, ffi_cast, ffi_copy, ffi_istype = ffi.string, ffi.cast, ffi.copy, ffi.istype
local unpack_packed = msgpack.unpack

local decoders = {}    -- by shape
local encoders = {}    -- by shape

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

local function shape_names(id)
  local shape = C.shape_get(id)
  local names = {}
  for i = 0, shape.count - 1 do
    names[#names + 1] = ffi_string(shape.names[i].data, shape.names[i].bytes)
  end
  return names
end

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

local function put_packed(arena, value)
  local start = arena.used
  msgpack.pack(arena, value)
  return start, arena.used - start
end

-- Fields: like encode() below, but tables are always packed.
local function put_field_slow(arena, row, index, value)
  local kind = type(value)
  local tag, length, offset = 0, 0, nil
  if kind == "boolean" then
    tag = value and 3 or 2
  elseif value == null then
    tag = 1
  elseif kind == "table" then
    tag = 9
    offset, length = put_packed(arena, value)
  elseif ffi_istype(int64_t, value) then
    if value >= -9007199254740992LL and value <= 9007199254740992LL then tag = 4 else tag = 5 end
  elseif ffi_istype(uint64_t, value) then
    if value <= 9007199254740992ULL then tag = 4 elseif value <= 0x7fffffffffffffffULL then tag = 5 else tag = 6 end
  else
    error("a record cannot hold a " .. (kind == "cdata" and tostring(ffi.typeof(value)) or kind), 0)
  end
  local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
  cell.tag, cell.length = tag, length
  if offset then cell.offset = offset
  elseif tag == 4 then cell.number = tonumber(value)
  elseif tag == 5 then cell.integer = value
  elseif tag == 6 then cell.natural = value
  end
end

local function put_field(arena, row, index, value)
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
  else
    put_field_slow(arena, row, index, value)
  end
end

-- Answers false if the table has other fields than the shape.
local function encoder_source(id, names)
  local out = { "local allocate, put_field, next = ...\nreturn function(arena, target, value)\n" }
  for i, name in ipairs(names) do out[#out + 1] = ("  local v%d = value[%q]\n"):format(i, name) end
  if #names > 0 then
    out[#out + 1] = "  if v1 == nil"
    for i = 2, #names do out[#out + 1] = (" or v%d == nil"):format(i) end
    out[#out + 1] = " then return false end\n"
  end
  -- It has all of them; that it has no others is seen by walking over as many keys. No loop: an inner loop would not become part of the batch loop's trace.
  out[#out + 1] = "  local key = next(value)\n"
  for _ = 2, #names do out[#out + 1] = "  key = next(value, key)\n" end
  out[#out + 1] = #names > 0 and "  if next(value, key) ~= nil then return false end\n" or "  if key ~= nil then return false end\n"
  out[#out + 1] = ("  local row = allocate(arena, %d)\n"):format(#names * 16)
  for i = 1, #names do out[#out + 1] = ("  put_field(arena, row, %d, v%d)\n"):format(i - 1, i) end
  out[#out + 1] = ("  target.tag, target.length = 8, %d\n  target.offset = row\n  return true\nend"):format(id)
  return table.concat(out)
end

local function wide_encoder(id, names)
  return function(arena, target, value)
    local count = 0
    for _ in pairs(value) do count = count + 1 end
    if count ~= #names then return false end
    for i = 1, #names do
      if value[names[i]] == nil then return false end
    end
    local row = allocate(arena, #names * 16)
    for i = 1, #names do put_field(arena, row, i - 1, value[names[i]]) end
    target.tag, target.length = 8, id
    target.offset = row
    return true
  end
end

local function make_encoder(id)
  local names = shape_names(id)
  if #names > fields_straight_max then return wide_encoder(id, names) end
  return assert(loadstring(encoder_source(id, names), "=row encoder"))(allocate, put_field, next)
end

setmetatable(encoders, { __index = function(_, id)
  local encoder = make_encoder(id)
  encoders[id] = encoder
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

-- `cache` belongs to the place that encodes: the encoders it used last, newest first.
local cache_max = 8

local function remember(cache, encoder)
  table.insert(cache, 1, encoder)
  cache[cache_max + 1] = nil
end

local function encode_new_shape(arena, target, value, cache)
  local id = shape_of(value)
  if id then
    local encoder = encoders[id]
    remember(cache, encoder)
    encoder(arena, target, value)
  else
    local offset, length = put_packed(arena, value)
    target.tag, target.length = 9, length
    target.offset = offset
  end
end

local function encode_other_shape(arena, target, value, cache)
  if getmetatable(value) == "null" then
    target.tag = 1
    return
  end
  for i = 2, #cache do
    if cache[i](arena, target, value) then
      local encoder = table.remove(cache, i)
      return table.insert(cache, 1, encoder)
    end
  end
  return encode_new_shape(arena, target, value, cache)
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
---@param cache table the caller's own, empty at first
local function encode(arena, target, value, cache)
  local kind = type(value)
  if kind == "number" then
    target.tag = 4
    target.number = value
  elseif kind == "string" then
    local offset = put_string(arena, value)
    target.tag, target.length = 7, #value
    target.offset = offset
  elseif kind == "table" then
    local encoder = cache[1]
    if encoder == nil or not encoder(arena, target, value) then encode_other_shape(arena, target, value, cache) end
  elseif kind == "boolean" then
    target.tag = value and 3 or 2
  elseif kind == "cdata" then
    encode_cdata(target, value)
  else
    error("a record cannot be a " .. kind, 0)
  end
end
M.encode = encode

return M
