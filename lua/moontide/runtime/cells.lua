--- Writing into an arena: room, texts, and the cells of values that are neither numbers, texts nor tables.
local ffi = require "ffi"
local C = require "moontide.engine"
local null = require "moontide.null"

local M = {}

local cell_pointer = ffi.typeof("struct cell *")
local int64_t, uint64_t = ffi.typeof("int64_t"), ffi.typeof("uint64_t")
local ffi_cast, ffi_copy, ffi_istype = ffi.cast, ffi.copy, ffi.istype

--- Room for `bytes` in an arena; the answer is their offset. As arena_allocate() in C.
function M.allocate(arena, bytes)
  local start = arena.used + 7
  start = start - start % 8
  if start + bytes + 16 > arena.capacity then C.arena_grow(arena, bytes + 8) end
  arena.used = start + bytes
  return start
end

--- The offset of a text's bytes.
function M.put_string(arena, text)
  local length, start = #text, arena.used
  if start + length + 16 > arena.capacity then C.arena_grow(arena, length) end
  ffi_copy(arena.bytes + start, text, length)
  arena.used = start + length
  return start
end

--- Write the cell `index` of those at offset `row`.
function M.put_rare(arena, row, index, value)
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
    error("a record cannot hold " .. (kind == "cdata" and "cdata of type " .. tostring(ffi.typeof(value)) or "a " .. kind), 0)
  end
  local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
  cell.tag, cell.length = tag, 0
  if tag == 4 then cell.number = tonumber(value)
  elseif tag == 5 then cell.integer = value
  elseif tag == 6 then cell.natural = value
  end
end

return M
