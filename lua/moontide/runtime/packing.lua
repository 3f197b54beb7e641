--- Values and keys as texts of canonical msgpack: what operator state is kept as.
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local encoding = require "moontide.runtime.encode"
local msgpack = require "moontide.runtime.msgpack"

local M = {}

local bytes_of = ffi.typeof("const uint8_t *")

-- Scratch memory that is given back also where a value cannot be packed.
local function with_arena(work, value)
  local arena = ffi.gc(ffi.new("struct arena"), C.arena_deinit)
  C.arena_grow(arena, 256)
  return work(arena, value)
end

local function packed(arena, value)
  msgpack.pack(arena, value)
  return ffi.string(arena.bytes, arena.used)
end

--- A value that a record may have.
---@param value any
---@return string
function M.pack(value)
  return with_arena(packed, value)
end

local function packed_key(arena, key)
  local cell, out = ffi.new("struct cell"), ffi.gc(ffi.new("struct buffer"), C.buffer_deinit)
  encoding.encode(arena, cell, key, encoding.place())
  check(C.msgpack_write_key(out, cell, arena.bytes))
  return ffi.string(out.data, out.bytes)
end

--- A key: a string, number, boolean, 64-bit integer, or a list of them (L4).
---@param key any
---@return string
function M.pack_key(key)
  return with_arena(packed_key, key)
end

--- The value of a text that was packed.
---@param text string
---@return any
function M.unpack(text)
  return (msgpack.unpack(ffi.cast(bytes_of, text)))
end

return M
