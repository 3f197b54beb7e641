--- Keys, their groups and the subtasks that they belong to (S43).
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local describe = require "moontide.describe"
local encoding = require "moontide.runtime.encode"
local where = require "moontide.where"

local M = {}

local groups_max = 32768

--- Raise at the author's line unless `count` can be a parallelism.
function M.check_count(what, name, count)
  if type(count) ~= "number" or count % 1 ~= 0 or count < 1 or count > groups_max then
    where.raise("%s: %s must be a whole number from 1 to %d, got %s", what, name, groups_max, describe(count))
  end
end

local function hash_of(key, arena, bytes)
  local cell = ffi.new("struct cell")
  encoding.encode(arena, cell, key, encoding.place())
  check(C.msgpack_write_key(bytes, cell, arena.bytes))
  return C.key_hash(ffi.new("struct slice", bytes.data, bytes.bytes))
end

--- The key group of a key.
---@param key any
---@param max_parallelism integer
---@return integer
function M.group(key, max_parallelism)
  local arena, bytes = ffi.new("struct arena"), ffi.new("struct buffer")
  C.arena_grow(arena, 64)
  local ok, hash = pcall(hash_of, key, arena, bytes)
  C.buffer_deinit(bytes)
  C.arena_deinit(arena)
  if not ok then where.raise("%s", tostring(hash)) end
  return tonumber(hash % max_parallelism)
end

--- How many key groups a job of this parallelism has by default.
function M.groups_by_default(parallelism)
  return tonumber(C.plan_groups_by_default(parallelism))
end

return M
