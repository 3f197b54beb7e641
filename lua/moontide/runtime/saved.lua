--- What sources and sinks in Lua keep in a checkpoint: one value per subtask, as msgpack.
local ffi = require "ffi"
local C = require "moontide.engine"
local msgpack = require "moontide.runtime.msgpack"

local M = {}

--- Save a value (nil: nothing) as this subtask's part.
---@param call ffi.cdata* struct call
---@param value any
function M.save(call, value)
  if value == nil then return end
  local arena = ffi.new("struct arena")
  local ok, message = pcall(msgpack.pack, arena, value)
  if ok then C.call_save(call, arena.bytes, arena.used) end
  C.arena_deinit(arena)
  if not ok then error(message, 0) end
end

--- The values that were saved, by old subtask from 1; false where one saved nothing. Empty on a fresh start.
---@param call ffi.cdata* struct call
---@return any[]
function M.restored(call)
  if call.blob_in.bytes == 0 then return {} end
  local list = {}
  for i, packed in ipairs((msgpack.unpack(call.blob_in.data))) do
    list[i] = packed ~= "" and (msgpack.unpack(ffi.cast("const uint8_t *", packed))) or false
  end
  return list
end

return M
