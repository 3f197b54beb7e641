--- Lua values to cells (codec/cell.h says what a cell is); values.lua goes the other way.
---
--- Each place that encodes keeps the encoders (runtime/encoders.lua) that its tables need in a chain: of the shapes
--- that it has met, and of lists and other maps where it has met one. Tables in tables are written as a tree of cells
--- (codec/tree.h), where each place in the tree has a chain too, and packed by C.
---
--- To a number 0 is added: -0 is 0 in records and state, as it is in their bytes (codec/msgpack.h), or what a state holds
--- would be another one after a restore.
---
--- `depth`: how many tables a value lies in; a table in depth_max others is refused, as C refuses its bytes.
local ffi = require "ffi"
local C = require "moontide.engine"
local cells = require "moontide.runtime.cells"
local check = require "moontide.runtime.fail"
local encoders = require "moontide.runtime.encoders"
local generate = require "moontide.runtime.generate"
local limits = require "moontide.runtime.table_limits"
local null = require "moontide.null"
local shapes = require "moontide.runtime.shapes"

local M = {}

local put_string, put_rare = cells.put_string, cells.put_rare

local depth_max = 64
local tree, node = ffi.new("struct arena"), ffi.new("struct cell")
local encode_strange

-- A table in the tree, whose cell is left in `node`. Each level has code of its own.
local put_table_source = [[
local node, depth_max, encode_strange = ...
return function(tree, value, place, depth)
  if depth >= depth_max then error(("a table is nested deeper than %d levels (or holds itself)"):format(depth_max), 0) end
  if not place.rows(tree, node, value, depth + 1) then encode_strange(tree, node, value, place, depth + 1) end
  return node.tag, node.length, node.offset
end
]]

local function new_put_table()
  return generate(put_table_source, "=table encoder", node, depth_max, function(...) return encode_strange(...) end)
end

-- The root of a tree of its own.
local put_root = new_put_table()

-- Pack the tree. Answers the tag, length and offset of a cell that holds it.
local function pack_tree(arena)
  local start = arena.used
  check(C.tree_pack(arena, node, tree.bytes))
  return 9, arena.used - start, start
end

-- A table in a field of a record that is a row.
local function put_packed(arena, value, place)
  tree.used = 0
  put_root(tree, value, place, 1)
  local tag, length, offset = pack_tree(arena)
  return tag, length, offset
end

-- By depth: of the fields of records, and of what lies in 1, 2, ... tables of a tree.
local levels = { [0] = encoders.new(put_packed) }
for i = 1, limits.levels_max do levels[i] = encoders.new(new_put_table()) end

---@class EncodingPlace what a place that encodes remembers of its tables
---@field level integer
---@field rows fun(arena, target, value, depth): boolean tries the encoders of the tables met so far
---@field shapes integer[] the shapes of those that are rows
---@field lengths integer[] those of short lists
---@field lists boolean there are other lists
---@field maps boolean there are maps that are no rows
---@field elements EncodingPlace[] the one place of the elements of lists and maps
---@field fields FieldSet? the only fields that its tables can have; nil: not known
---@field packed EncodingPlace? of a record that is no row, or of a new shape
---@field misses integer records of other shapes since there was no room for more
---@field patience integer so many are let pass
---@field strange table<integer, true>? those shapes, where records may be packed; nil: they may not
---@field strangers integer how many they are
local shapes_max, lengths_max, strangers_max = 8, 2, 24
-- What lies deeper goes through loops, which keep traces short.
local straight_levels_max = 3

local function no_rows() return false end

local new_place

-- Places of the fields of a row or of all elements, made when one holds a table. `within`: what is known of the tables there.
local function places_below(place_level, within)
  return setmetatable({}, { __index = function(places, at)
    places[at] = new_place(math.min(place_level + 1, limits.levels_max), within[at])
    return places[at]
  end })
end

-- What tables can have of which each is one or the other.
local function either(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return true end
  local fields = {}
  for name, within in pairs(a) do fields[name] = b[name] and either(within, b[name]) or within end
  for name, within in pairs(b) do fields[name] = fields[name] or within end
  return fields
end

local function fields_of_elements(fields)
  local all
  for _, within in pairs(fields or {}) do all = all and either(all, within) or within end
  return all
end

function new_place(level, fields)
  fields = type(fields) == "table" and fields or nil
  return {
    level = level, fields = fields, rows = no_rows, shapes = {}, lengths = {}, lists = false, maps = false,
    elements = places_below(level, { fields_of_elements(fields) }),
  }
end

-- The fields that a table of this place may have besides those of the shape or list; nil: any.
local function others_of(place, names)
  if not place.fields then return nil end
  local others, own = {}, {}
  for _, name in ipairs(names) do own[name] = true end
  for name in pairs(place.fields) do
    if not own[name] then others[#others + 1] = name end
  end
  return others
end

local function within_of(place, names)
  local within = {}
  for i, name in ipairs(names) do within[i] = place.fields and place.fields[name] end
  return within
end

local function numbers_to(length)
  local numbers = {}
  for i = 1, length do numbers[i] = i end
  return numbers
end

-- A record that is a short list is a tree of its own.
local record_list_source = [[
local put_list, tree, node, C, check = ...
return function(arena, target, value, places)
  tree.used = 0
  if not put_list(tree, node, value, places, 1) then return false end
  check(C.tree_record(arena, node, tree.bytes, target))
  return true
end
]]

local function list_encoder(place, length)
  local home = place.packed or place
  local put_list = levels[home.level].short_list(length, others_of(home, numbers_to(length)))
  return { place.packed and generate(record_list_source, "=record encoder", put_list, tree, node, C, check) or put_list, home.elements }
end

local function encoders_of(place)
  local list, level = {}, levels[place.level]
  for _, id in ipairs(place.shapes) do
    local names = shapes.names(id)
    list[#list + 1] = { level.row(id, names, others_of(place, names)), places_below(place.level, within_of(place, names)) }
  end
  for _, length in ipairs(place.lengths) do list[#list + 1] = list_encoder(place, length) end
  if place.lists then list[#list + 1] = { level.list, place.elements } end
  if place.maps then list[#list + 1] = { level.map, place.elements } end
  return list
end

-- Straight-line code that tries one encoder after the other: tables of several kinds are encoded by side traces.
local function link(place)
  local parameters, tries, values = {}, {}, {}
  for i, encoder in ipairs(encoders_of(place)) do
    parameters[#parameters + 1] = ("e%d, p%d"):format(i, i)
    tries[i] = ("e%d(arena, target, value, p%d, depth)"):format(i, i)
    values[i * 2 - 1], values[i * 2] = encoder[1], encoder[2]
  end
  local text = "local %s = ...\nreturn function(arena, target, value, depth)\n  return (%s)\nend"
  text = text:format(table.concat(parameters, ", "), table.concat(tries, " or "))
  place.rows = generate(text, "=encoders", unpack(values))
end

local function learn_length(place, value)
  local lengths, length = place.lengths, #value
  local length_max = type(value[1]) == "table" and limits.short_tables_max or limits.short_max
  if length == 0 or length > length_max or #lengths == lengths_max or lengths[1] == length then return false end
  table.insert(lengths, length)
  return true
end

local function learn_straight(place, value)
  if place.level > straight_levels_max then return false end
  if #value > 0 then return not place.lists and learn_length(place, value) end
  local id = #place.shapes < shapes_max and shapes.of(value)
  if id then table.insert(place.shapes, id) end
  return id
end

-- A table in a tree that no encoder of its place takes. Where tables are all different, each by straight-line code of
-- its own, there is no end of what is compiled; dictionaries would use shapes up as well. So that is for the first few.
function encode_strange(arena, target, value, place, depth)
  if not learn_straight(place, value) then
    if place.lists or #value == 0 then place.shapes, place.maps = {}, true end
    place.lengths, place.lists = {}, true
  end
  link(place)
  if not place.rows(arena, target, value, depth) then encode_strange(arena, target, value, place, depth) end
end

--- A place that encodes. `fields`: all that its tables can have (runtime/made_fields.lua), nil if that is not known.
---@param fields FieldSet?
---@return EncodingPlace
function M.place(fields)
  local place = new_place(0, fields)
  place.packed, place.misses, place.patience, place.strangers = new_place(1, fields), 0, 1000, 0
  return place
end

--- The same of a state, whose tables only Lua reads: those that serve as dictionaries need not be rows.
---@param fields table<string, true>?
---@return EncodingPlace
function M.state_place(fields)
  local place = M.place(fields)
  place.strange = {}
  return place
end

local function relink(place)
  if #place.shapes > 0 or #place.lengths > 0 then link(place) end
end

--- From now on the tables of this place may have any fields.
---@param place EncodingPlace
function M.forget_fields(place)
  if not place.fields then return end
  place.fields, place.packed = nil, new_place(1)
  relink(place)
end

local passing_fields_max = 40 -- each costs a look where a table is made

local function add_fields(place, names)
  local count = 0
  for _, name in ipairs(names) do place.fields[name] = true end
  for _ in pairs(place.fields) do count = count + 1 end
  place.packed = new_place(1)
  if count > passing_fields_max then return M.forget_fields(place) end
  relink(place)
end

--- What is to be told of each shape that comes in (nil: of what has none), where the tables of a place may be these
--- besides those whose fields are known.
---@param place EncodingPlace
---@return fun(id: integer?)
function M.watcher(place)
  local shapes_met = 0
  return function(id)
    if not place.fields then return end
    shapes_met = shapes_met + 1
    if not id or shapes_met > shapes_max then return M.forget_fields(place) end
    add_fields(place, shapes.names(id))
  end
end

-- The tree of a record that is no row, or not known to be one.
local function build_record(value, place)
  tree.used = 0
  if #value > 0 then put_root(tree, value, place.packed, 0) else levels[1].map(tree, node, value, place.packed.elements, 1) end
end

-- Instead of rows, where there is no end of shapes.
local function packs(place)
  place.shapes, place.lengths = {}, {}
  place.rows = function(arena, target, value)
    if value == null then return false end
    build_record(value, place)
    target.tag, target.length, target.offset = pack_tree(arena)
    return true
  end
end

-- There is no room for another shape. Where shapes come and go, those of long ago are given up: more and more seldom,
-- since what is met then is compiled again.
local function missed(place, id)
  place.misses = place.misses + 1
  if place.strange and not place.strange[id] then
    place.strange[id], place.strangers = true, place.strangers + 1
    if place.strangers > strangers_max then packs(place) end
  elseif place.misses > place.patience then
    place.shapes, place.lengths, place.rows, place.misses, place.patience = {}, {}, no_rows, 0, place.patience * 4
  end
end

-- A table of a shape that the place has not met, or of none.
local function encode_other(arena, target, value, place)
  if value == null then
    target.tag = 1
    return
  end
  build_record(value, place)
  check(C.tree_record(arena, node, tree.bytes, target))
  if target.tag ~= 8 then
    if learn_length(place, value) then link(place) end
    return
  end
  if #place.shapes == shapes_max then return missed(place, target.length) end
  place.shapes[#place.shapes + 1] = target.length
  link(place)
end

--- Write a value into the cell `target`, its bytes into `arena`.
---@param place EncodingPlace the caller's own
function M.encode(arena, target, value, place)
  local kind = type(value)
  if kind == "number" then
    target.tag = 4
    target.number = value + 0
  elseif kind == "string" then
    local offset = put_string(arena, value)
    target.tag, target.length = 7, #value
    target.offset = offset
  elseif kind == "table" then
    if not place.rows(arena, target, value, 0) then encode_other(arena, target, value, place) end
  else
    put_rare(target, value, "be")
  end
end

return M
