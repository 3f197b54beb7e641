--- Encoders of tables into cells: straight-line code for small rows and lists, which a trace can drop together with the
--- table where that goes nowhere else, loops for large ones and for maps that are no rows (runtime/decoders.lua says
--- what loops have to be like).
---
--- All of them answer false if the table is none of theirs. Tables in a table are written by `put_table`, which gets
--- the place that they have in it: of a row each field has one, the elements of lists and the values of maps share one.
--- That a table has no other keys is seen by walking over as many as it should have.
local ffi = require "ffi"
local cells = require "moontide.runtime.cells"
local null = require "moontide.null"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"

local M = {}

local ffi_cast, cell_pointer, double_pointer = ffi.cast, ffi.typeof("struct cell *"), ffi.typeof("double *")

-- A table that is compared must be there: only what has a metatable may be mt.null.
local put_source = [[
local put_table, put_rare, put_string, null, type, getmetatable, ffi_cast, cell_pointer = ...
return function(arena, row, index, value, places, at, depth)
  local kind = type(value)
  if kind == "number" then
    local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
    cell.tag = 4
    cell.number = value + 0
  elseif kind == "string" then
    local offset = put_string(arena, value)
    local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
    cell.tag, cell.length = 7, #value
    cell.offset = offset
  elseif kind == "table" and (getmetatable(value) == nil or value ~= null) then
    local tag, length, offset = put_table(arena, value, places[at], depth)
    local cell = ffi_cast(cell_pointer, arena.bytes + row)[index]
    cell.tag, cell.length = tag, length
    cell.offset = offset
  else
    put_rare(ffi_cast(cell_pointer, arena.bytes + row)[index], value, "hold")
  end
end
]]

-- All fields of the shape are there, and no others: those of `others` are nil. mt.null is an empty table, and no row.
local function check_source(count, others)
  local tests = { count == 0 and "value == null" or nil }
  for i = 1, count do tests[#tests + 1] = ("v%d == nil"):format(i) end
  for _, name in ipairs(others) do tests[#tests + 1] = (type(name) == "string" and "value[%q] ~= nil" or "value[%d] ~= nil"):format(name) end
  return #tests > 0 and ("  if %s then return false end\n"):format(table.concat(tests, " or ")) or ""
end

local function walk_source(count)
  local out = { "  local key = next(value)\n" }
  for _ = 2, count do out[#out + 1] = "  key = next(value, key)\n" end
  out[#out + 1] = count > 0 and "  if next(value, key) ~= nil then return false end\n" or "  if key ~= nil then return false end\n"
  return table.concat(out)
end

-- Of rows and of short lists, which differ in their keys. `others`: the only keys besides that it may have; nil: any.
local function straight_source(keys, cell, at, others)
  local out = { "local put, allocate, next, null = ...\nreturn function(arena, target, value, places, depth)\n" }
  for i, key in ipairs(keys) do out[#out + 1] = (type(key) == "string" and "  local v%d = value[%q]\n" or "  local v%d = value[%d]\n"):format(i, key) end
  out[#out + 1] = check_source(#keys, others or {})
  if not others then out[#out + 1] = walk_source(#keys) end
  out[#out + 1] = ("  local row = allocate(arena, %d)\n"):format(#keys * 16)
  for i = 1, #keys do out[#out + 1] = ("  put(arena, row, %d, v%d, places, %d, depth)\n"):format(i - 1, i, at or i) end
  out[#out + 1] = ("  target.tag, target.length = %d, %d\n  target.offset = row\n  return true\nend"):format(cell.tag, cell.length)
  return table.concat(out)
end

-- A walk over keys comes behind a numeric loop: to that all traces link, and what goes on from there may meet a walk. Where
-- a trace that began elsewhere met one it would be given up.
-- Offsets are numbers: a 64-bit integer would be made an object before each loop.
local loops_source = [=[
local put, allocate, next, pairs, type, max, tonumber, ffi_cast, double_pointer, rounds_min = ...

local function has_keys(value, count)
  local found = 0
  for _ in pairs(value) do found = found + 1 end
  return found == count
end

-- What was written of a table that turns out to be another one is given back.
local function is_whole(arena, start, value, count, length)
  if count == length and has_keys(value, length) then return true end
  arena.used = start
  return false
end

local function wide_row(id, names)
  local length = #names
  return function(arena, target, value, places, depth)
    local row, count = tonumber(allocate(arena, length * 16)), 0
    for i = 1, length do
      local element = value[names[i]]
      if element ~= nil then
        put(arena, row, i - 1, element, places, i, depth)
        count = count + 1
      end
    end
    target.tag, target.length = 8, id
    target.offset = row
    return (is_whole(arena, row, value, count, length))
  end
end

local function numbers(arena, target, value, length)
  local start, count = tonumber(allocate(arena, length * 8)), 0
  for i = 1, max(length, rounds_min) do
    local element = i <= length and value[i]
    if type(element) == "number" then
      ffi_cast(double_pointer, arena.bytes + start)[i - 1] = element
      count = count + 1
    end
  end
  target.tag, target.length = 12, length
  target.offset = start
  return (is_whole(arena, start, value, count, length))
end

local function elements(arena, target, value, length, places, depth)
  local row, count = tonumber(allocate(arena, length * 16)), 0
  for i = 1, max(length, rounds_min) do
    if i <= length and value[i] ~= nil then
      put(arena, row, i - 1, value[i], places, 1, depth)
      count = count + 1
    end
  end
  target.tag, target.length = 10, length
  target.offset = row
  return (is_whole(arena, row, value, count, length))
end

local function list(arena, target, value, places, depth)
  local length = #value
  if length == 0 then return false end
  if type(value[1]) == "number" and type(value[length]) == "number" and numbers(arena, target, value, length) then return true end
  return (elements(arena, target, value, length, places, depth))
end

local function put_key(arena, row, index, key)
  if type(key) == "table" then error("a table cannot be a key in a record", 0) end
  put(arena, row, index, key)
end

local function map(arena, target, value, places, depth)
  local length, row, index = 0, nil, 0
  if next(value) ~= nil then
    for i = 1, rounds_min do index = index + i end
    for _ in pairs(value) do length = length + 1 end
    row, index = tonumber(allocate(arena, length * 32)), 0
    for key, element in pairs(value) do
      put_key(arena, row, index, key)
      put(arena, row, index + 1, element, places, 1, depth)
      index = index + 2
    end
  end
  target.tag, target.length = 11, length
  target.offset = row or 0
  return true
end

return wide_row, list, map
]=]

---@class LevelEncoders
---@field row fun(id: integer, names: string[], others: (string|integer)[]?): function
---@field short_list fun(length: integer, others: (string|integer)[]?): function of lists of so many elements
---@field list function of all lists
---@field map function of all tables

--- The encoders of one level of tables in tables. Each level has code of its own: what calls itself is no loop and no
--- straight line to the compiler.
---@param put_table fun(arena, value: table, place, depth): integer, integer, integer tag, length and offset of its cell
---@return LevelEncoders
function M.new(put_table)
  local put = generate(put_source, "=field encoder", put_table, cells.put_rare, cells.put_string, null, type, getmetatable, ffi_cast,
    cell_pointer)
  local wide_row, list, map = generate(loops_source, "=table encoder", put, cells.allocate, next, pairs, type, math.max, tonumber, ffi_cast, double_pointer,
    limits.rounds_min)

  local function straight(text, name) return generate(text, name, put, cells.allocate, next, null) end

  local function row(id, names, others)
    if #names > limits.fields_straight_max then return wide_row(id, names) end
    return straight(straight_source(names, { tag = 8, length = id }, nil, others), "=row encoder")
  end

  local function short_list(length, others)
    local keys = {}
    for i = 1, length do keys[i] = i end
    return straight(straight_source(keys, { tag = 10, length = length }, 1, others), "=list encoder")
  end

  return { row = row, short_list = short_list, list = list, map = map }
end

return M
