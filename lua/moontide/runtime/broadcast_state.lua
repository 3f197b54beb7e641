--- Broadcast state: one map for a whole subtask, in Lua. It is read for every
--- record and written seldom, so values are kept ready, and an iteration walks a
--- sorted list that lasts until the next write (S52).
local check_map = require "moontide.runtime.check_map"
local copiers = require "moontide.runtime.copiers"
local methods = require "moontide.runtime.methods"
local no_write = "broadcast state '%s' can only be read here: it is written in process_broadcast_element"
local packing = require "moontide.runtime.packing"

local Reader = {}
local Writer = {}

-- Entries are never changed, only replaced: an iteration goes on showing those it began with.
local function new_entry(map, key_bytes, value_bytes)
  local key, value = packing.unpack(key_bytes), packing.unpack(value_bytes)
  return {
    key = key, key_bytes = key_bytes, copy_key = copiers.of(key),
    value = value, value_bytes = value_bytes, copy_value = map.only_read and copiers.to_read(value) or copiers.of(value),
  }
end

-- A number, text or boolean finds its entry without being packed; so does a small 64-bit integer, as the number it is.
local function find(map, key)
  local kind = type(key)
  if kind == "number" or kind == "string" or kind == "boolean" then return map.plain[key] end
  if key == nil then error("map state: nil cannot be a key", 3) end
  return map.packed[packing.pack_key(key)]
end

local function set(map, key_bytes, entry)
  local old = map.packed[key_bytes]
  local key = (entry or old or {}).key
  map.count = map.count + (entry and 1 or 0) - (old and 1 or 0)
  map.packed[key_bytes], map.sorted = entry, nil
  if key ~= nil and type(key) ~= "table" and type(key) ~= "cdata" then map.plain[key] = entry end
end

local function write(self, key_bytes, entry)
  local map, old = self.map, self.map.packed[key_bytes]
  self.journal:note(set, map, key_bytes, old)
  set(map, key_bytes, entry)
end

local function comes_before(a, b) return a.key_bytes < b.key_bytes end

local function sort_anew(map)
  local list = {}
  for _, entry in pairs(map.packed) do list[#list + 1] = entry end
  table.sort(list, comes_before)
  map.sorted = list
  return list
end

local function sorted(map) return map.sorted or sort_anew(map) end

function Reader:get(key)
  local entry = find(self.map, key)
  if entry == nil then return nil end
  return (entry.copy_value(entry.value))
end

function Reader:contains(key) return find(self.map, key) ~= nil end
function Reader:is_empty() return self.map.count == 0 end

-- An iteration is an object that is called: a closure for each could not be compiled.
local function next_entry(iteration)
  local index = iteration.index + 1
  iteration.index = index
  return iteration.list[index]
end

local Keys = { __call = function(iteration)
  local entry = next_entry(iteration)
  if entry ~= nil then return (entry.copy_key(entry.key)) end
end }

local Values = { __call = function(iteration)
  local entry = next_entry(iteration)
  if entry ~= nil then return (entry.copy_value(entry.value)) end
end }

local Entries = { __call = function(iteration)
  local entry = next_entry(iteration)
  if entry ~= nil then return entry.copy_key(entry.key), (entry.copy_value(entry.value)) end
end }

local function begin(map, class) return setmetatable({ list = sorted(map), index = 0 }, class) end

function Reader:keys() return begin(self.map, Keys) end
function Reader:values() return begin(self.map, Values) end
function Reader:entries() return begin(self.map, Entries) end

for name, method in pairs(Reader) do Writer[name] = method end

for _, name in ipairs { "put", "put_all", "remove", "clear" } do
  Reader[name] = function(self) error(no_write:format(self.name), 2) end
end

function Writer:put(key, value)
  if value == nil then error("map state: nil cannot be a value (remove removes; mt.null can be one)", 2) end
  if key == nil then error("map state: nil cannot be a key", 2) end
  local key_bytes = packing.pack_key(key)
  write(self, key_bytes, new_entry(self.map, key_bytes, packing.pack(value)))
end

-- All of them are packed before the first is written: one that cannot be stored changes nothing.
function Writer:put_all(map)
  check_map(map)
  local entries = {}
  for key, value in pairs(map) do entries[#entries + 1] = new_entry(self.map, packing.pack_key(key), packing.pack(value)) end
  for _, entry in ipairs(entries) do write(self, entry.key_bytes, entry) end
end

function Writer:remove(key)
  local entry = find(self.map, key)
  if entry then write(self, entry.key_bytes, nil) end
end

function Writer:clear()
  for _, entry in ipairs(sorted(self.map)) do write(self, entry.key_bytes, nil) end
end

local M = {}

--- An empty state; its reader is for where it may not be written.
---@param name string
---@param journal OperatorJournal
---@param only_read? boolean whoever gets a value only takes fields of it
function M.new(name, journal, only_read)
  local map = { plain = {}, packed = {}, count = 0, only_read = only_read }
  local state = { map = map }
  state.writer = methods(Writer, "a map state", { map = map, journal = journal, name = name })
  state.reader = methods(Reader, "a map state", { map = map, name = name })
  return state
end

--- Is the item at this place of what is saved a value, and no key?
function M.is_value(place) return place % 2 == 0 end

--- What is to be saved: keys and values in turn, in the order of the keys.
---@return string[]
function M.saved(state)
  local items = {}
  for _, entry in ipairs(sorted(state.map)) do
    items[#items + 1] = entry.key_bytes
    items[#items + 1] = entry.value_bytes
  end
  return items
end

--- Fill an empty state with what was saved.
function M.restore(state, items)
  for i = 1, #items, 2 do set(state.map, items[i], new_entry(state.map, items[i], items[i + 1])) end
end

--- S48: new subtask i reads the copy of old subtask i modulo their number.
---@param copies string[][] of the old subtasks, in order
function M.share(copies, subtask)
  return copies[subtask % #copies + 1]
end

return M
