--- Decoders of tables whose elements a given function reads: straight-line code for small ones, which a trace can drop
--- where the table does not escape, loops for large ones and for all that there may be many of.
---
--- Loops are numeric ones, to which traces link wherever they come from, of some rounds at least
--- (runtime/table_limits.lua); where tables are all different, such a loop is where what is compiled for each of them
--- meets again.
local ffi = require "ffi"
local new_table = require "table.new"
local generate = require "moontide.runtime.generate"
local opaque = require "moontide.runtime.opaque"
local shapes = require "moontide.runtime.shapes"
local limits = require "moontide.runtime.table_limits"

local M = {}

local ffi_string = ffi.string
-- Shapes that have decoders of their own: the first ones, and of the others those that are met often. Such a decoder
-- cannot be made in compiled code, which gives up where it meets that time and again.
local first_max, own_max, often = 8, 32, 100
local lengths_max = 3

-- Rows and lists differ in their keys. `wanted`: the fields to decode, nil for all.
local function fields_source(keys, wanted)
  local out, items = { "local decode, ffi_string = ...\nreturn function(cells, bytes)\n" }, {}
  for i, key in ipairs(keys) do
    local at = i - 1
    if wanted and not wanted[key] then goto next_field end
    out[#out + 1] = ("  local v%d\n  local t%d = cells[%d].tag\n"):format(i, i, at)
    out[#out + 1] = ("  if t%d == 4 then v%d = cells[%d].number\n"):format(i, i, at)
    out[#out + 1] = ("  elseif t%d == 7 then v%d = ffi_string(bytes + cells[%d].offset, cells[%d].length)\n"):format(i, i, at, at)
    out[#out + 1] = ("  else v%d = decode(cells[%d], bytes) end\n"):format(i, at)
    items[#items + 1] = (type(key) == "string" and "[%q] = v%d" or "v%d"):format(type(key) == "string" and key or i, i)
    ::next_field::
  end
  out[#out + 1] = ("  return { %s }\nend"):format(table.concat(items, ", "))
  return table.concat(out)
end

local function short_list_source(count)
  local keys = {}
  for i = 1, count do keys[i] = i end
  return fields_source(keys)
end

-- A list that was kept is often appended to: it has room for one element more.
local loops_source = [=[
local decode, key_of, new_table, max, short_lists, short_tables_max, rounds_min, names_of = ...

local function list(cells, length, bytes)
  local short = short_lists[length] or short_lists(length)
  if short and (length <= short_tables_max or cells[0].tag < 8) then return (short(cells, bytes)) end
  local values = new_table(length + 1, 0)
  for i = 1, max(length, rounds_min) do
    if i <= length then values[i] = decode(cells[i - 1], bytes) end
  end
  return values
end

local function map(cells, length, bytes)
  local values = new_table(0, length)
  for i = 0, max(length, rounds_min) - 1 do
    if i < length then values[key_of(cells[i * 2], bytes)] = decode(cells[i * 2 + 1], bytes) end
  end
  return values
end

local function row(id, cells, bytes)
  local names = names_of[id]
  if not names then names = names_of(id) end
  local count = #names
  local values = new_table(0, count)
  for i = 1, max(count, rounds_min) do
    if i <= count then values[names[i]] = decode(cells[i - 1], bytes) end
  end
  return values
end

return list, map, row
]=]

-- `meet` is told of a shape that is new; `make` may put a decoder into `own`.
local rows_source = [[
local own, meet, make, any_row, hide, first_max, own_max, often = ...
local seen, count = {}, 0

local function other(id, cells, bytes)
  local times = (seen[id] or 0) + 1
  seen[id] = times
  if times == 1 then meet(id) end
  if times == 1 and count < first_max or times == often and count < own_max then
    count = count + 1
    make(id)
    local decoder = own[id]
    if decoder then return (decoder(cells, bytes)) end
  end
  return (hide(any_row(id, cells, bytes)))
end

return function(id, cells, bytes)
  local decoder = own[id]
  if decoder then return (decoder(cells, bytes)) end
  return (other(id, cells, bytes))
end
]]

local function nothing() end
local function same(value) return value end

local names_of = setmetatable({}, { __call = function(cache, id)
  local names = shapes.names(id)
  cache[id] = names
  return names
end })

--- Decoders by length, of the first few lengths of short lists that are met; to be called for one that has none.
---@param make fun(length: integer): function
function M.short_lists(make)
  local count = 0
  return setmetatable({}, { __call = function(lists, length)
    if length > limits.short_max or count == lengths_max then return nil end
    count = count + 1
    lists[length] = make(length)
    return lists[length]
  end })
end

local Level = {}
Level.__index = Level

--- The decoders of one level of tables in tables. Each level has code of its own: what calls itself is no loop and no
--- straight line to the compiler.
---@param decode fun(cell, bytes): any
function M.new(decode)
  local function key_of(cell, bytes)
    local key = decode(cell, bytes)
    if type(key) == "cdata" then return (tostring(key)) end -- L3: int64 keys are no table keys
    return key
  end

  local self = setmetatable({ decode = decode }, Level)
  local short_lists = M.short_lists(function(count) return generate(short_list_source(count), "=list decoder", decode, ffi_string) end)
  self.list, self.map, self.any_row = generate(loops_source, "=table decoder", decode, key_of, new_table, math.max, short_lists,
    limits.short_tables_max, limits.rounds_min, names_of)
  return self
end

-- A decoder for one shape; nil where it would be too long. `wanted`: the fields to decode, nil for all.
function Level:own_row(id, wanted)
  local names, count = shapes.names(id), 0
  for _, name in ipairs(names) do count = count + ((not wanted or wanted[name]) and 1 or 0) end
  return count <= limits.fields_straight_max and generate(fields_source(names, wanted), "=row decoder", self.decode, ffi_string) or nil
end

function Level:load_rows(own, meet, make, hide)
  return generate(rows_source, "=row decoders", own, meet, make, self.any_row, hide, first_max, own_max, often)
end

--- A decoder of rows of any shape, for one who sees nothing but the fields `wanted` (nil: all) or makes them opaque.
---@return fun(id: integer, cells, bytes): table
function Level:rows(wanted)
  local own = {}
  return self:load_rows(own, nothing, function(id) own[id] = self:own_row(id, wanted) end, same)
end

local function opaque_decoder(decoder)
  return function(cells, bytes) return (opaque(decoder(cells, bytes))) end
end

--- The same for a place where rows can be kept: they are opaque (runtime/opaque.lua) from the second shape on.
---@param met? fun(id: integer) told of each shape
---@return fun(id: integer, cells, bytes): table
function Level:kept_rows(met)
  local own, shapes_met = {}, 0
  local function meet(id)
    shapes_met = shapes_met + 1
    local first, plain = next(own)
    if shapes_met == 2 and first then own[first] = opaque_decoder(plain) end
    if met then met(id) end
  end
  local function make(id)
    local decoder = self:own_row(id)
    own[id] = decoder and shapes_met > 1 and opaque_decoder(decoder) or decoder
  end
  return self:load_rows(own, meet, make, opaque)
end

return M
