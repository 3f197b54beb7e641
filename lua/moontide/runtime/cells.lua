--- Writing into an arena: room, texts, and the cells of values that are neither numbers, texts nor tables.
local ffi = require "ffi"
local C = require "moontide.engine"
local null = require "moontide.null"

local M = {}

local int64_t, uint64_t = ffi.typeof("int64_t"), ffi.typeof("uint64_t")
local ffi_copy, ffi_istype = ffi.copy, ffi.istype

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

local function tag_of(value, relation)
  local kind = type(value)
  if kind == "boolean" then return value and 3 or 2 end
  if value == null then return 1 end
  if ffi_istype(int64_t, value) then return value >= -9007199254740992LL and value <= 9007199254740992LL and 4 or 5 end
  if ffi_istype(uint64_t, value) then return value <= 9007199254740992ULL and 4 or value <= 0x7fffffffffffffffULL and 5 or 6 end
  local name = kind == "cdata" and "cdata of type " .. tostring(ffi.typeof(value)) or "a " .. kind
  error(("a record cannot %s %s"):format(relation, name), 0)
end

--- Write a value that is neither number, text nor table.
---@param relation "be"|"hold" a record is the value, or has it in a table
function M.put_rare(cell, value, relation)
  local tag = tag_of(value, relation)
  cell.tag, cell.length = tag, 0
  if tag == 4 then cell.number = tonumber(value)
  elseif tag == 5 then cell.integer = value
  elseif tag == 6 then cell.natural = value
  end
end

return M
