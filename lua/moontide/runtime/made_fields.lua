--- Which fields the tables have that a function answers, collects or stores. A
--- table that the function makes with fields of fixed names or numbers, and that nobody else
--- gets to see, has no others: an encoder need not walk over it to know, so
--- compiled code need not make it at all. The same holds for the tables in it.
local limits = require "moontide.runtime.table_limits"
local origins = require "moontide.runtime.origins"
local used_fields = require "moontide.runtime.used_fields"

local M = {}

local fields_max = 60

--- The only fields that a table can have. Of each: true, or what holds for a table in it.
---@alias FieldSet table<string|integer, true|FieldSet>

-- Origins, as this module names them: "self", "record" (of which nobody else knows), "out", "collect of out", "state NAME", "value of NAME" and the other
-- methods of a state, "value NAME" (what it answered), "table PLACE".
local Made = {}
Made.__index = Made

local function new_made(states)
  local self = setmetatable({ tables = {}, walks = 0, answered = { given = {} }, collected = { given = {} }, states = {} }, Made)
  self.answered.own, self.collected.own = "record", "record"
  for name in pairs(states or {}) do self.states[name] = { given = {}, own = "value " .. name } end
  return self
end

-- What is known of a table, or of the tables that a state answers. Of one that is made here also `held`, the origins of what
-- its fields may be, and `read`, the fields that are taken out of it again: of those nothing is known.
function Made:table_of(origin)
  self.tables[origin] = self.tables[origin] or { fields = {}, held = {}, read = {} }
  return self.tables[origin]
end

local function is_made(origin) return origin:find "^table " ~= nil end

local function is_name(key) return type(key) == "string" or (type(key) == "number" and key % 1 == 0 and math.abs(key) < 2 ^ 31) end

local function add_names(fields, example)
  for name in pairs(example) do
    if not is_name(name) then return false end
    fields[name] = true
  end
  return true
end

-- Fields, and nothing of what is in them; nil where they are not names.
local function names_alone(fields)
  local names = {}
  for name in pairs(fields) do
    if type(name) ~= "string" then return nil end
    names[name] = true
  end
  return names
end

local function give(self, consumer, given)
  for origin in pairs(given) do
    if self.tables[origin] and (is_made(origin) or origin == consumer.own) then
      consumer.given[origin] = true
    elseif origin == "record" and self.tables.record then
      consumer.open = true -- encoded, and kept by nobody
    elseif origin ~= origins.scalar then
      consumer.open = true
      self:escaped(origin)
    end
  end
end

-- What a field of a table was set to may be changed from now on.
function Made:release(known, name)
  local held = known.held[name]
  known.held[name] = nil
  for origin in pairs(held or {}) do self:escaped(origin) end
end

function Made:escaped(origin)
  local known = self.tables[origin]
  if known then
    known.escaped = true
    for name in pairs(known.fields) do self:release(known, name) end
  end
  if origin == "self" then
    for _, state in pairs(self.states) do state.open = true end
  elseif origin == "out" or origin == "collect of out" then
    self.collected.open = true
  end
  local state = self.states[origin:match("^state (.*)$") or origin:match("^%l+ of (.*)$")]
  if state then state.open = true end
end

function Made:field(origin, name)
  local known = self.tables[origin]
  if known then
    known.read[name] = true
    self:release(known, name)
  end
  if origin == "self" then return self.states[name] and "state " .. name end
  local state = origin:match("^state (.*)$")
  if state and (name == "value" or name == "update" or name == "clear") then return name .. " of " .. state end
  if origin == "out" and name == "collect" then return "collect of out" end
  if state or origin == "out" then self:escaped(origin) end
end

-- What a table made here is given goes nowhere else as long as that table does not.
function Made:hold(known, name, values)
  local held = known.held[name] or {}
  known.held[name] = held
  for value in pairs(values) do
    held[value] = true
    if not is_made(value) then self:escaped(value) end
  end
end

function Made:store(origin, name, values)
  local known = self.tables[origin]
  if not known then
    if origin ~= "self" or self.states[name] then self:escaped(origin) end
    return false
  end
  known.fields[name] = true
  if not is_made(origin) or known.escaped or known.read[name] then return false end
  self:hold(known, name, values)
  return true
end

function Made:call(fn, arguments)
  local method, name = fn:match("^(%l+) of (.*)$")
  if not method or origins.only(arguments[1]) ~= (name == "out" and name or "state " .. name) then return nil end
  if method == "value" then
    self:table_of("value " .. name)
    return "value " .. name
  end
  if method ~= "clear" then give(self, method == "collect" and self.collected or self.states[name], arguments[2] or {}) end
  for i = 3, #arguments do give(self, { given = {} }, arguments[i]) end
  return origins.scalar
end

function Made:returned(given)
  give(self, self.answered, given)
end

function Made:walk(fn, parameters)
  self.walks = self.walks + 1
  local prefix = ("table %d:"):format(self.walks)
  local listener = {
    made = function(place, template)
      local known = self:table_of(prefix .. place)
      if template and not add_names(known.fields, template) then known.escaped = true end
      return prefix .. place
    end,
  }
  for _, name in ipairs { "field", "store", "call", "escaped", "returned" } do
    listener[name] = function(...) return Made[name](self, ...) end
  end
  return origins.walk(fn, parameters, listener)
end

local fields_of_tables

-- What the tables in a field can have, of all that it may be; true: anything.
local function fields_within(self, given, name, level)
  local within = {}
  for origin in pairs(given) do
    local known = self:table_of(origin)
    if not is_made(origin) or known.read[name] then return true end
    for value in pairs(known.held[name] or {}) do
      if not is_made(value) and value ~= origins.scalar then return true end
      within[value] = is_made(value) or nil
    end
  end
  return next(within) and level < limits.levels_max and fields_of_tables(self, within, level + 1) or true
end

function fields_of_tables(self, given, level)
  local fields, count = {}, given.record and 1 or 0
  for origin in pairs(given) do
    local known = self:table_of(origin)
    if known.escaped then return nil end
    add_names(fields, known.fields)
  end
  for name in pairs(fields) do fields[name], count = fields_within(self, given, name, level), count + 1 end
  return count > 0 and count <= fields_max and fields or nil
end

local function fields_of(self, consumer)
  return not consumer.open and fields_of_tables(self, consumer.given, 0) or nil
end

--- What is known of a table: its fields, and those of the record that came in where it may be that.
---@class KnownFields
---@field fields FieldSet
---@field passes boolean

-- What `consumer` is given, of functions whose record is as `known` says.
local function known_of(self, consumer, known)
  local passes, fields = consumer.given.record, nil
  if passes and known then add_names(self:table_of "record".fields, known.fields) end
  fields = fields_of(self, consumer)
  return fields and { fields = fields, passes = passes and known.passes or false } or nil
end

--- The fields of the tables that `fn` answers first; nil: not known.
---@param fn function
---@return FieldSet?
function M.answered(fn)
  local self = new_made()
  return self:walk(fn, {}) and fields_of(self, self.answered) or nil
end

--- The fields of the tables that a function collects with its parameter `index`.
---@param fn function
---@param index integer
---@return FieldSet?
function M.collected(fn, index)
  local self, parameters = new_made(), {}
  for i = 1, index do parameters[i] = i == index and "out" end
  return self:walk(fn, parameters) and fields_of(self, self.collected) or nil
end

-- What is known of a record behind a function that only answers something about it: one that takes a table out of it may
-- change that.
local function seen_by(known, fn)
  if used_fields.changes_nothing(fn) then return known end
  if not used_fields.add(fn, 1, {}) then return nil end
  local names = names_alone(known.fields)
  return names and { fields = names, passes = known.passes }
end

-- What the map steps and filters of an operator make of a record. Where one of them shows it to others it is not known.
local function behind_stages(stages)
  local known = { fields = {}, passes = true }
  for _, stage in ipairs(stages) do
    if stage.kind == "map" then
      local self = new_made()
      if known then self:table_of "record" end
      known = self:walk(stage.fn, { known and "record" }) and known_of(self, self.answered, known) or nil
    else
      known = known and seen_by(known, stage.fn)
    end
  end
  return known
end

--- The fields of the tables that a fused operator without state emits; nil: not known.
---@param operator Operator
---@return KnownFields?
function M.of_operator(operator)
  local terminal, fn, known = operator.terminal, operator.step.fn, behind_stages(operator.stages)
  if terminal == "key" then return known and seen_by(known, fn) end
  if terminal ~= "flat_map" then return known end
  local self = new_made()
  if known then self:table_of "record" end
  return self:walk(fn, { known and "record", "out" }) and known_of(self, self.collected, known) or nil
end

--- The fields of the accumulators of an aggregate; nil: not known.
---@param aggregate Aggregate
---@return table<string, true>?
function M.of_aggregate(aggregate)
  local self, kept = new_made(), "value accumulator"
  self.answered.own = kept
  self:table_of(kept)
  local is_known = self:walk(aggregate.create, {}) and self:walk(aggregate.add, { kept }) and (not aggregate.merge or self:walk(aggregate.merge, { kept, kept }))
  local fields = is_known and fields_of(self, self.answered)
  return fields and names_alone(fields) or nil
end

local callbacks = {
  process_element = { "self", "record", false, "out" },
  on_timer = { "self", false, false, "out" },
  open = { "self" },
  close = { "self" },
}

-- Fields that a default brings along; false if it is a table with other keys.
local function add_default(fields, default)
  if type(default) ~= "table" then return true end
  return getmetatable(default) == nil and add_names(fields, default)
end

--- What a process step collects, and the fields of what it stores in each of its value states. A state's fields
--- hold for what this code stores: what else it answers, of an older version's making, its reader has to look for.
---@param definition table
---@param plain? function what is in the place of process_element, as its author wrote it: of (value, ctx, out)
---@param stages? table[] map and filter steps before it
---@return { collected: KnownFields?, states: table<string, table<string, true>> }
function M.of_process(definition, plain, stages)
  local values = {}
  for name, descriptor in pairs(definition.state or {}) do
    if descriptor.kind == "value" then values[name] = descriptor end
  end
  local self, known = new_made(values), behind_stages(stages or {})
  if known then self:table_of "record" end
  if plain and not self:walk(plain, { "record", false, "out" }) then return { states = {} } end
  for name, parameters in pairs(callbacks) do
    local fn = rawget(definition, name)
    if fn and not (plain and name == "process_element") and not self:walk(fn, parameters) then return { states = {} } end
  end
  local result = { collected = known_of(self, self.collected, known), states = {} }
  for name, state in pairs(self.states) do
    local fields = fields_of(self, state)
    if fields and add_default(fields, values[name].default) then result.states[name] = names_alone(fields) end
  end
  return result
end

return M
