--- Cells to Lua values (codec/cell.h says what a cell is); encode.lua goes the other way.
---
--- runtime/decoders.lua makes what decodes rows, lists and maps. A place that has met one shape of
--- row only gets it as it is made; all other tables are opaque (runtime/opaque.lua).
local ffi = require "ffi"
local decoders = require "moontide.runtime.decoders"
local null = require "moontide.null"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"
local opaque = require "moontide.runtime.opaque"
local seen_elements = require "moontide.runtime.seen_elements"
local tree = require "moontide.runtime.tree"

local M = {}

local cell_pointer = ffi.typeof("struct cell *")
local ffi_string, ffi_cast = ffi.string, ffi.cast

-- The parentheses below keep calls from being tail calls: with those, a decoder that is reached from within a decoder
-- looks like recursion to the compiler, which then leaves the batch loop's trace. And one trace takes no more than 15 of
-- them: so there is none in what a callback may call often either.

local function decode_rare(cell)
  local tag = cell.tag
  if tag == 3 then return true end
  if tag == 2 then return false end
  if tag == 1 then return null end
  if tag == 5 then return cell.integer + 0LL end
  if tag == 6 then return cell.natural + 0ULL end
  return nil
end

-- What lies in a tree. Each level has code of its own: to the compiler, what calls itself is no straight line.
local node_source = [[
local rows, list, map, numbers, rare, opaque, ffi_string, ffi_cast, cell_pointer = ...
return function(cell, bytes)
  local tag = cell.tag
  if tag == 4 then return cell.number end
  if tag == 7 then return (ffi_string(bytes + cell.offset, cell.length)) end
  if tag == 8 then return (opaque(rows(cell.length, ffi_cast(cell_pointer, bytes + cell.offset), bytes))) end
  if tag == 12 then return (opaque(numbers(tonumber(cell.offset), cell.length))) end
  if tag == 10 then return (opaque(list(ffi_cast(cell_pointer, bytes + cell.offset), cell.length, bytes))) end
  if tag == 11 then return (opaque(map(ffi_cast(cell_pointer, bytes + cell.offset), cell.length, bytes))) end
  return (rare(cell))
end
]]

-- `deeper` decodes what lies in the tables of this level.
local function node_decoder(deeper)
  local level = decoders.new(deeper)
  return generate(node_source, "=table decoder", level:rows(), level.list, level.map, tree.numbers, decode_rare, opaque,
    ffi_string, ffi_cast, cell_pointer)
end

local function levels_of_tree()
  local decode, deeper
  decode = node_decoder(function(cell, bytes) return (decode(cell, bytes)) end)
  for _ = 1, limits.levels_max do decode, deeper = node_decoder(decode), decode end
  return decode, deeper
end

local decode_node, decode_element = levels_of_tree()

local function unpack_tree(packed, length)
  local root = tree.unpack(packed, length)
  if root.tag == 12 then return (opaque(tree.numbers(tonumber(root.offset), root.length))) end
  return (decode_node(root, tree.arena.bytes))
end

local function decode_field(cell, bytes)
  local tag = cell.tag
  if tag == 4 then return cell.number end
  if tag == 7 then return (ffi_string(bytes + cell.offset, cell.length)) end
  if tag == 9 then return (unpack_tree(bytes + cell.offset, cell.length)) end
  return (decode_rare(cell))
end

local records = decoders.new(decode_field)
local rows = records:rows()

--- The value of a cell whose bytes count from `bytes`.
function M.decode(cell, bytes)
  if cell.tag == 8 then return (opaque(rows(cell.length, ffi_cast(cell_pointer, bytes + cell.offset), bytes))) end
  return (decode_field(cell, bytes))
end

-- The value of a slot of state that is neither a number nor a row: its bytes lie in its own payload.
local function decode_slot(slot)
  local tag = slot.tag
  if tag == 7 then return (ffi_string(slot.payload, slot.length)) end
  if tag == 9 then return (unpack_tree(slot.payload, slot.length)) end
  return (decode_rare(slot))
end

-- Of packed bytes, for a reader that sees some elements of a list.
local function packed_decoder(wanted)
  local seen_list = wanted and seen_elements(wanted, decode_element)
  if not seen_list then return unpack_tree end
  return function(packed, length)
    local root = tree.unpack(packed, length)
    if root.tag == 10 or root.tag == 12 then return (seen_list(root, tree.arena.bytes)) end
    return (decode_node(root, tree.arena.bytes))
  end
end

--- As decode(), for a reader that sees only the fields `wanted` of a row or list (nil: all): the others are left out. Who sees
--- nothing but fields cannot keep the row, so that it need not be opaque. One who sees all may want to know which rows
--- there are: `met` is called with each shape when it is first met, and with nothing for each packed value.
---@param wanted table<string|integer, true>?
---@param met fun(id: integer?)?
---@return fun(cell: ffi.cdata*, bytes: ffi.cdata*): any
function M.decoder(wanted, met)
  local seen_rows, unpack_seen = wanted and records:rows(wanted) or records:kept_rows(met), packed_decoder(wanted)
  return function(cell, bytes)
    local tag = cell.tag
    if tag == 8 then return (seen_rows(cell.length, ffi_cast(cell_pointer, bytes + cell.offset), bytes)) end
    if tag == 4 then return cell.number end
    if tag ~= 9 then return (decode_field(cell, bytes)) end
    if met then met() end
    return (unpack_seen(bytes + cell.offset, cell.length))
  end
end

--- The value of a slot of state, with `met` as above.
---@param met fun(id: integer?)?
---@return fun(slot: ffi.cdata*): any
function M.slot_decoder(met)
  local kept_rows = records:kept_rows(met)
  return function(slot)
    local tag = slot.tag
    if tag == 4 then return slot.number end
    if tag == 8 then return (kept_rows(slot.length, ffi_cast(cell_pointer, slot.payload), slot.payload)) end
    if tag == 9 and met then met() end
    return (decode_slot(slot))
  end
end

return M
