--- Values as msgpack, through FFI: the canonical form of L4 and L6 (codec/msgpack.h says which). For what is not written
--- with each record, such as operator state: records and keyed state go through runtime/encode.lua.
local ffi = require "ffi"
local bit = require "bit"
local C = require "moontide.engine"
local null = require "moontide.null"

local M = {}

local depth_max = 64
local floor = math.floor
local band = bit.band
local int64_t, uint64_t = ffi.typeof("int64_t"), ffi.typeof("uint64_t")
-- Its bytes are reached by constant indexes only: compiled code takes an access by a variable one for another place
-- than that of a member of another type, and would answer what the member was before.
local swap = ffi.new("union { double number; float single; int64_t integer; uint64_t natural; uint8_t bytes[8]; }")

local function reserve(arena, bytes)
  if arena.used + bytes + 16 > arena.capacity then C.arena_grow(arena, bytes) end
  local at = arena.bytes + arena.used
  arena.used = arena.used + bytes
  return ffi.cast("uint8_t *", at)
end

-- `number` is whole and not below 0; width is 1, 2 or 4.
local function put_wide(arena, head, width, number)
  local at = reserve(arena, 1 + width)
  at[0] = head
  for i = width, 1, -1 do
    at[i] = number % 256
    number = floor(number / 256)
  end
end

-- The eight bytes in `swap`.
local function put_eight(arena, head)
  local at, bytes = reserve(arena, 9), swap.bytes
  at[0] = head
  at[1], at[2], at[3], at[4] = bytes[7], bytes[6], bytes[5], bytes[4]
  at[5], at[6], at[7], at[8] = bytes[3], bytes[2], bytes[1], bytes[0]
end

local function put_natural(arena, number)
  if number < 0x80 then
    reserve(arena, 1)[0] = number
    return
  end
  if number <= 0xff then return put_wide(arena, 0xcc, 1, tonumber(number)) end
  if number <= 0xffff then return put_wide(arena, 0xcd, 2, tonumber(number)) end
  if number <= 0xffffffff then return put_wide(arena, 0xce, 4, tonumber(number)) end
  swap.natural = number
  return put_eight(arena, 0xcf)
end

local function put_negative(arena, number)
  if number >= -32 then
    reserve(arena, 1)[0] = 256 + tonumber(number)
    return
  end
  if number >= -0x80 then return put_wide(arena, 0xd0, 1, 0x100 + tonumber(number)) end
  if number >= -0x8000 then return put_wide(arena, 0xd1, 2, 0x10000 + tonumber(number)) end
  if number >= -0x80000000LL then return put_wide(arena, 0xd2, 4, 0x100000000 + tonumber(number)) end
  swap.integer = number
  return put_eight(arena, 0xd3)
end

local function put_number(arena, number)
  if number == floor(number) and number >= -9007199254740992 and number <= 9007199254740992 then
    if number >= 0 then return put_natural(arena, number) end
    return put_negative(arena, number)
  end
  swap.number = number
  return put_eight(arena, 0xcb)
end

local function put_length(arena, length, fix, fix_max, head8, head16)
  if length <= fix_max then
    reserve(arena, 1)[0] = fix + length
  elseif head8 and length <= 0xff then
    put_wide(arena, head8, 1, length)
  elseif length <= 0xffff then
    put_wide(arena, head16, 2, length)
  else
    put_wide(arena, head16 + 1, 4, length)
  end
end

local function put_string(arena, text)
  put_length(arena, #text, 0xa0, 31, 0xd9, 0xda)
  ffi.copy(reserve(arena, #text), text, #text)
end

local put

local function put_list(arena, list, length, depth)
  put_length(arena, length, 0x90, 15, nil, 0xdc)
  for i = 1, length do put(arena, list[i], depth + 1) end
end

-- The encoded keys, to sort them by their bytes.
local function encoded_keys(map)
  local scratch = ffi.new("struct arena")
  local keys, values = {}, {}
  for key, value in pairs(map) do
    scratch.used = 0
    if type(key) == "table" then error("a table cannot be a key in a record", 0) end
    put(scratch, key, 1)
    local text = ffi.string(scratch.bytes, scratch.used)
    if values[text] ~= nil then error("a table has the same key twice: " .. tostring(key), 0) end
    keys[#keys + 1], values[text] = text, value
  end
  C.arena_deinit(scratch)
  table.sort(keys)
  return keys, values
end

local function put_map(arena, map, depth)
  local keys, values = encoded_keys(map)
  put_length(arena, #keys, 0x80, 15, nil, 0xde)
  for _, key in ipairs(keys) do
    ffi.copy(reserve(arena, #key), key, #key)
    put(arena, values[key], depth + 1)
  end
end

-- The length of a list, else nil. A list has the keys 1 to n and no other; an empty table is a map. The length of a table
-- with gaps may be any of them, so that the number of keys alone proves nothing.
local function list_length(value)
  local length, count = #value, 0
  if length == 0 then return nil end
  for _ in pairs(value) do count = count + 1 end
  if count ~= length then return nil end
  for i = 1, length do
    if value[i] == nil then return nil end
  end
  return length
end

local function put_table(arena, value, depth)
  if depth > depth_max then error(("a table is nested deeper than %d levels (or holds itself)"):format(depth_max), 0) end
  if getmetatable(value) == "null" then
    reserve(arena, 1)[0] = 0xc0
    return
  end
  local length = list_length(value)
  if length then return put_list(arena, value, length, depth) end
  return put_map(arena, value, depth)
end

local function put_cdata(arena, value)
  if ffi.istype(int64_t, value) then
    if value < 0 then return put_negative(arena, value) end
    return put_natural(arena, ffi.cast(uint64_t, value))
  end
  if ffi.istype(uint64_t, value) then return put_natural(arena, value) end
  error("a record cannot hold cdata of type " .. tostring(ffi.typeof(value)), 0)
end

function put(arena, value, depth)
  local kind = type(value)
  if kind == "number" then return put_number(arena, value) end
  if kind == "string" then return put_string(arena, value) end
  if kind == "boolean" then
    reserve(arena, 1)[0] = value and 0xc3 or 0xc2
    return
  end
  if kind == "table" then return put_table(arena, value, depth) end
  if kind == "cdata" then return put_cdata(arena, value) end
  if kind == "nil" then
    reserve(arena, 1)[0] = 0xc0
    return
  end
  error("a record cannot hold a " .. kind, 0)
end

--- Append a value to an arena.
---@param arena ffi.cdata* struct arena
---@param value any
function M.pack(arena, value)
  return put(arena, value, 1)
end

-- The `width` (1, 2, 4) bytes behind `at` as a number. No loop: keys of several widths would make many traces of it.
local function get_wide(at, width)
  if width == 1 then return at[1] end
  if width == 2 then return at[1] * 256 + at[2] end
  return ((at[1] * 256 + at[2]) * 256 + at[3]) * 256 + at[4]
end

-- The eight bytes behind `at`, into `swap`.
local function get_eight(at)
  local bytes = swap.bytes
  bytes[7], bytes[6], bytes[5], bytes[4] = at[1], at[2], at[3], at[4]
  bytes[3], bytes[2], bytes[1], bytes[0] = at[5], at[6], at[7], at[8]
end

local function whole(number)
  if number >= -9007199254740992LL and number <= 9007199254740992LL then return tonumber(number) end
  return number
end

local get

-- Each reader answers the value and the address behind it. The bytes are the engine's own, checked when they came in.
local function get_string(at, length)
  return ffi.string(at, length), at + length
end

local function get_list(at, length)
  local list = {}
  for i = 1, length do list[i], at = get(at) end
  return list, at
end

local function get_map(at, length)
  local map, key = {}, nil
  for _ = 1, length do
    key, at = get(at)
    if type(key) == "cdata" then key = tostring(key) end -- L3: int64 keys are no table keys
    map[key], at = get(at)
  end
  return map, at
end

local function get_float(at)
  local bytes = swap.bytes
  bytes[3], bytes[2], bytes[1], bytes[0] = at[1], at[2], at[3], at[4]
  return swap.single, at + 5
end

local signed_extend = { [1] = 0x80, [2] = 0x8000, [4] = 0x80000000 }

local function get_signed(at, width)
  if width == 8 then
    get_eight(at)
    return whole(swap.integer + 0LL), at + 9
  end
  local number = get_wide(at, width)
  local sign = signed_extend[width]
  if number >= sign then number = number - sign * 2 end
  return number, at + 1 + width
end

local function get_natural(at, width)
  if width < 8 then return get_wide(at, width), at + 1 + width end
  get_eight(at)
  local natural = swap.natural + 0ULL
  if natural <= 9007199254740992ULL then return tonumber(natural), at + 9 end
  if natural <= 0x7fffffffffffffffULL then return ffi.cast(int64_t, natural), at + 9 end
  return natural, at + 9
end

local function length_at(at, width)
  return get_wide(at, width), at + 1 + width
end

-- What is as long as it says itself.
local function get_long_string(at, width)
  local length, first = length_at(at, width)
  local value, behind = get_string(first, length)
  return value, behind
end

local function get_long_list(at, width)
  local length, first = length_at(at, width)
  local value, behind = get_list(first, length)
  return value, behind
end

local function get_long_map(at, width)
  local length, first = length_at(at, width)
  local value, behind = get_map(first, length)
  return value, behind
end

-- Readers of what does not begin within its first byte, and how many bytes they are told of.
local readers = {
  [0xc0] = function(at) return null, at + 1 end,
  [0xc2] = function(at) return false, at + 1 end,
  [0xc3] = function(at) return true, at + 1 end,
  [0xca] = get_float,
  [0xcb] = function(at) get_eight(at) return swap.number, at + 9 end,
}
local widths = {}

-- Of heads that follow each other, each twice as wide as the one before.
local function read_by(reader, head, width, count)
  for i = 0, count - 1 do readers[head + i], widths[head + i] = reader, width * 2 ^ i end
end

read_by(get_natural, 0xcc, 1, 4)
read_by(get_signed, 0xd0, 1, 4)
read_by(get_long_string, 0xc4, 1, 3)
read_by(get_long_string, 0xd9, 1, 3)
read_by(get_long_list, 0xdc, 2, 2)
read_by(get_long_map, 0xde, 2, 2)

-- No tail calls: see values.lua.
function get(at)
  local head, value, behind = at[0], nil, nil
  if head < 0x80 then return head, at + 1 end
  if head >= 0xe0 then return head - 256, at + 1 end
  if head >= 0xc0 then
    value, behind = readers[head](at, widths[head])
  elseif head >= 0xa0 then
    value, behind = get_string(at + 1, band(head, 31))
  elseif head >= 0x90 then
    value, behind = get_list(at + 1, band(head, 15))
  else
    value, behind = get_map(at + 1, band(head, 15))
  end
  return value, behind
end

--- The value at an address; the second answer is the address behind it.
---@param at ffi.cdata* pointer to bytes that the engine has checked
---@return any value
---@return ffi.cdata*
function M.unpack(at)
  local value, behind = get(ffi.cast("const uint8_t *", at))
  return value, behind
end

return M
