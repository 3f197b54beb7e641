--- Sources that are written in Lua: lists, generators, and the author's own.
local describe = require "moontide.describe"
local descriptor = require "moontide.descriptor"
local options = require "moontide.options"
local where = require "moontide.where"

local M = {}

local function list_copy(what, values)
  if type(values) ~= "table" or getmetatable(values) ~= nil then where.raise("%s: needs a list of values, got %s", what, describe(values)) end
  local copy, length = {}, #values
  for key, value in pairs(values) do
    if type(key) ~= "number" or key % 1 ~= 0 or key < 1 or key > length then
      where.raise("%s: needs a list without gaps, got the key %s (nil ends a list; mt.null stands for null)", what, describe(key))
    end
    local kind = type(value)
    if kind == "function" or kind == "thread" or kind == "userdata" then
      where.raise("%s: value %d cannot be a record, got %s", what, key, describe(value))
    end
    copy[key] = value
  end
  return copy
end

--- A source of the values in a list, in their order.
---
---     job:from(mt.values { "a", "b", { id = 3 } })
---@param values any[]
---@return Source
function M.values(values)
  return descriptor.new("source", "values", { definition = { values = list_copy("mt.values", values) }, replayable = true })
end

local generator_specs = {
  { name = "count", type = "integer", min = 0 },
  { name = "rate", type = "positive" },
  { name = "seed", type = "integer", default = 1 },
  { name = "fn", type = "function", required = true },
}

---@class GeneratorOptions
---@field count? integer without it the records never end
---@field rate? number records in a second, of all subtasks together
---@field seed? integer of `random`; default: 1
---@field fn fun(i: integer, random: fun(m: integer?, n: integer?): number): any, number? answers a value and its time stamp

--- A source of what a function answers for i = 1, 2, ...; without `count` it never ends.
--- `random()` answers numbers in [0, 1), `random(m, n)` integers, the same for the same seed and i.
---
---     job:from(mt.generator { count = 100, seed = 7, fn = function(i, random) return { id = i, size = random(1, 6) }, i * 1000 end })
---@param given GeneratorOptions
---@return Source
function M.generator(given)
  local checked = options.check("mt.generator", given, generator_specs)
  local fn = checked.fn
  checked.fn = nil
  return descriptor.new("source", "generator", { options = checked, definition = { fn = fn }, replayable = true })
end

local source_specs = {
  { name = "open", type = "function" },
  { name = "poll", type = "function", required = true },
  { name = "snapshot", type = "function" },
  { name = "restore", type = "function" },
  { name = "close", type = "function" },
}

---@class SourceDefinition
---@field open? fun(self: table)
---@field poll fun(self: table, out: Collector): boolean|"end" emits some records and answers true (more), false (nothing now) or "end"
---@field snapshot? fun(self: table): any the position, from which `restore` goes on
---@field restore? fun(self: table, position: any)
---@field close? fun(self: table)

--- A source written in Lua. With `snapshot` and `restore` it is read again from its position after a failure.
---
---     job:from(mt.source {
---       open = function(self) self.next = 1 end,
---       poll = function(self, out)
---         out:collect(self.next)
---         self.next = self.next + 1
---         return self.next <= 10 or "end"
---       end,
---       snapshot = function(self) return self.next end,
---       restore = function(self, position) self.next = position end,
---     })
---@param definition SourceDefinition
---@return Source
function M.source(definition)
  local checked = options.check("mt.source", definition, source_specs)
  if (checked.snapshot == nil) ~= (checked.restore == nil) then
    where.raise("mt.source: 'snapshot' and 'restore' come together, got only '%s'", checked.snapshot and "snapshot" or "restore")
  end
  return descriptor.new("source", "lua", { shown = "source", definition = checked, replayable = checked.snapshot ~= nil })
end

return M
