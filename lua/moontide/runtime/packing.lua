--- Values and keys as texts of canonical msgpack: what operator state is kept as.
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local encoding = require "moontide.runtime.encode"
local msgpack = require "moontide.runtime.msgpack"

local M = {}

local bytes_of = ffi.typeof("const uint8_t *")

local arena, cell = ffi.gc(ffi.new("struct arena"), C.arena_deinit), ffi.new("struct cell")
local out = ffi.gc(ffi.new("struct buffer"), C.buffer_deinit)
local kept_bytes = 65536

-- Scratch memory that one large value took is not kept for all the small ones.
local function text_of(bytes, used)
  local text = ffi.string(bytes, used)
  if arena.capacity > kept_bytes then C.arena_deinit(arena) end
  return text
end

--- A value that a record may have.
---@param value any
---@return string
function M.pack(value)
  arena.used = 0
  msgpack.pack(arena, value)
  return (text_of(arena.bytes, arena.used))
end

--- A key: a string, number, boolean, 64-bit integer, or a list of them (L4).
---@param key any
---@return string
function M.pack_key(key)
  arena.used, out.bytes = 0, 0
  encoding.encode(arena, cell, key, encoding.place())
  check(C.msgpack_write_key(out, cell, arena.bytes))
  return (text_of(out.data, out.bytes))
end

--- The value of a text that was packed.
---@param text string
---@return any
function M.unpack(text)
  return (msgpack.unpack(ffi.cast(bytes_of, text)))
end

return M
