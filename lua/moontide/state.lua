--- Descriptions of state: what `state = { seen = mt.map_state() }` declares.
--- The state itself, bound to the current key, is `self.seen` in a callback.
local aggregate = require "moontide.aggregate"
local options = require "moontide.options"
local where = require "moontide.where"

local M = {}

---@class StateDescriptor
---@field kind "value"|"list"|"map"|"reducing"|"aggregating"|"operator_list"|"union_list"
---@field default? any of a value state
---@field reduce? fun(a: any, b: any): any of a reducing state
---@field create? fun(): any of an aggregating state, as its siblings `add`, `result` and `merge`
---@field version integer of the values that are written
---@field migrate? fun(old_value: any, old_version: integer): any

local methods = { "value", "update", "clear", "get", "add", "add_all", "put", "put_all", "remove", "contains", "keys", "values", "entries",
  "is_empty" }

local Descriptor = { __name = "state descriptor" }

function Descriptor.__index(descriptor, name)
  for _, method in ipairs(methods) do
    if name == method then
      where.raise("this describes a %s state and holds no value: inside the callbacks call self.<name of the state>:%s()",
        rawget(descriptor, "kind"), name)
    end
  end
end

local common = {
  { name = "version", type = "integer", min = 1, max = 65535, default = 1 },
  { name = "migrate", type = "function" },
}

local function specs_with(...)
  local specs = { ... }
  for _, spec in ipairs(common) do specs[#specs + 1] = spec end
  return specs
end

local value_specs = specs_with({ name = "default", type = "value" })
local plain_specs = specs_with()
local reducing_specs = specs_with({ name = "reduce", type = "function", required = true })
local aggregating_specs = specs_with(unpack(aggregate.specs))

local function new(kind, given, specs)
  local descriptor = options.check("mt." .. kind .. "_state", given, specs)
  descriptor.kind = kind
  return setmetatable(descriptor, Descriptor)
end

--- One value for each key: `value()`, `update(v)`, `clear()`.
---
---     keyed:process("seen", {
---       state = { seen = mt.value_state { default = 0 } },
---       process_element = function(self, value, ctx, out) self.seen:update(self.seen:value() + 1) end,
---     })
---@param given? { default: any, version: integer?, migrate: (fun(old_value: any, old_version: integer): any)? }
---@return ValueState # a description; bound to the current key it is `self.<name>`
function M.value_state(given)
  return new("value", given, value_specs)
end

--- A list for each key: `get()`, `add(v)`, `add_all(list)`, `update(list)`, `clear()`.
---
---     keyed:process("keep", {
---       state = { kept = mt.list_state() },
---       process_element = function(self, value, ctx, out) self.kept:add(value) end,
---     })
---@param given? { version: integer?, migrate: (fun(old_value: any, old_version: integer): any)? }
---@return ListState # a description; bound to the current key it is `self.<name>`
function M.list_state(given)
  return new("list", given, plain_specs)
end

--- A map for each key: `get(k)`, `put(k, v)`, `put_all(t)`, `remove(k)`, `contains(k)`, `keys()`, `values()`, `entries()`, `is_empty()`, `clear()`.
---
---     keyed:process("by_kind", {
---       state = { kinds = mt.map_state() },
---       process_element = function(self, value, ctx, out) self.kinds:put(value.kind, value) end,
---     })
---@param given? { version: integer?, migrate: (fun(old_value: any, old_version: integer): any)? }
---@return MapState # a description; bound to the current key it is `self.<name>`
function M.map_state(given)
  return new("map", given, plain_specs)
end

--- One value for each key that takes in what is added: `get()`, `add(v)`, `clear()`.
---
---     keyed:process("total", {
---       state = { total = mt.reducing_state { reduce = function(a, b) return a + b end } },
---       process_element = function(self, value, ctx, out) self.total:add(value.amount) end,
---     })
---@param given { reduce: (fun(a: any, b: any): any), version: integer?, migrate: (fun(old_value: any, old_version: integer): any)? }
---@return ReducingState # a description; bound to the current key it is `self.<name>`
function M.reducing_state(given)
  return new("reducing", given, reducing_specs)
end

--- An accumulator for each key; what is read is its result: `get()`, `add(v)`, `clear()`.
---
---     keyed:process("average", {
---       state = { average = mt.aggregating_state {
---         create = function() return { sum = 0, count = 0 } end,
---         add = function(acc, value) return { sum = acc.sum + value, count = acc.count + 1 } end,
---         result = function(acc) return acc.sum / acc.count end,
---       } },
---       process_element = function(self, value, ctx, out) self.average:add(value.amount) end,
---     })
---@param given Aggregate with `version` and `migrate` as the others
---@return AggregatingState # a description; bound to the current key it is `self.<name>`
function M.aggregating_state(given)
  return new("aggregating", given, aggregating_specs)
end

--- A list of a subtask, for a step without keys; when the parallelism changes, all elements are dealt out anew.
---
---     stream:process("numbered", {
---       state = { counts = mt.operator_list_state {} },
---       process_element = function(self, value, ctx, out) self.counts:update { (self.counts:get()[1] or 0) + 1 } end,
---     })
---@param given? { version: integer?, migrate: (fun(old_value: any, old_version: integer): any)? }
---@return ListState # a description; bound to the subtask it is `self.<name>`
function M.operator_list_state(given)
  return new("operator_list", given, plain_specs)
end

--- A list of a subtask, for a step without keys; after a restore every subtask has the elements of all.
---
---     stream:process("offsets", {
---       state = { offsets = mt.union_list_state {} },
---       process_element = function(self, value, ctx, out) self.offsets:update { value.offset } end,
---     })
---@param given? { version: integer?, migrate: (fun(old_value: any, old_version: integer): any)? }
---@return ListState # a description; bound to the subtask it is `self.<name>`
function M.union_list_state(given)
  return new("union_list", given, plain_specs)
end

--- Is `value` a description of state?
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Descriptor
end

return M
