--- Several aggregates at once, by the names of the fields that they become: in windows
--- and rolling. The engine has them itself (see runtime/engine_window.lua); where it
--- cannot run them, the functions that are generated here do.
local describe = require "moontide.describe"
local nearest = require "moontide.nearest"
local numbers = require "moontide.numbers"
local options = require "moontide.options"
local generate = require "moontide.runtime.generate"
local state = require "moontide.state"
local where = require "moontide.where"

local M = {}

---@class FieldAggregate one of them: `mt.agg.count()` and its siblings
---@field operator "count"|"sum"|"min"|"max"|"avg"
---@field field? string
local FieldAggregate = { __name = "aggregate of a field" }

---@class Aggregates
---@field list { operator: string, field: string?, name: string }[] by name
local Aggregates = { __name = "table of aggregates" }

local function of_field(operator, field)
  if not options.is_field(field) then
    where.raise('mt.agg.%s: needs a field, as in mt.agg.%s "amount", got %s', operator, operator, describe(field))
  end
  return setmetatable({ operator = operator, field = field }, FieldAggregate)
end

local agg = {}

--- How many records there are.
---
---     keyed:window(mt.tumbling { size = "1h" }):aggregate("hourly", mt.aggregates { visits = mt.agg.count() })
---@return FieldAggregate
function agg.count()
  return setmetatable({ operator = "count" }, FieldAggregate)
end

--- The sum of a field.
---
---     keyed:window(mt.tumbling { size = "1h" }):aggregate("hourly", mt.aggregates { total = mt.agg.sum "amount" })
---@param field string
---@return FieldAggregate
function agg.sum(field)
  return of_field("sum", field)
end

--- The smallest value of a field.
---
---     keyed:window(mt.tumbling { size = "1h" }):aggregate("hourly", mt.aggregates { cheapest = mt.agg.min "amount" })
---@param field string
---@return FieldAggregate
function agg.min(field)
  return of_field("min", field)
end

--- The largest value of a field.
---
---     keyed:window(mt.tumbling { size = "1h" }):aggregate("hourly", mt.aggregates { dearest = mt.agg.max "amount" })
---@param field string
---@return FieldAggregate
function agg.max(field)
  return of_field("max", field)
end

--- The mean of a field.
---
---     keyed:window(mt.tumbling { size = "1h" }):aggregate("hourly", mt.aggregates { mean = mt.agg.avg "amount" })
---@param field string
---@return FieldAggregate
function agg.avg(field)
  return of_field("avg", field)
end

M.agg = setmetatable({}, { __index = function(_, name)
  where.raise("mt.agg has no '%s'%s", tostring(name), nearest.hint(name, { "count", "sum", "min", "max", "avg" }))
end })
for name, constructor in pairs(agg) do M.agg[name] = constructor end

local reserved = { key = true, window_start = true, window_end = true }

local function check_entry(name, aggregate)
  if not options.is_field(name) then
    where.raise("mt.aggregates: needs names of fields, as in { total = mt.agg.sum \"amount\" }, got %s", describe(name))
  end
  if reserved[name] then where.raise("mt.aggregates: a result has a field '%s' already", name) end
  if getmetatable(aggregate) ~= FieldAggregate then
    where.raise('mt.aggregates: \'%s\' must be an aggregate such as mt.agg.sum "amount", got %s', name, describe(aggregate))
  end
end

--- Several aggregates of the same records. What is emitted has the key, the window's bounds (in windows), and a field for each of them.
---
---     keyed:window(mt.tumbling { size = "1h" }):aggregate("hourly", mt.aggregates {
---       visits = mt.agg.count(), total = mt.agg.sum "amount", mean = mt.agg.avg "amount",
---     })
---@param given table<string, FieldAggregate>
---@return Aggregates
function M.aggregates(given)
  if type(given) ~= "table" or next(given) == nil then
    where.raise('mt.aggregates: needs a table such as { total = mt.agg.sum "amount" }, got %s', describe(given))
  end
  local list = {}
  for name, aggregate in pairs(given) do
    check_entry(name, aggregate)
    list[#list + 1] = { operator = aggregate.operator, field = aggregate.field, name = name }
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return setmetatable({ list = list }, Aggregates)
end

--- Is it what `mt.aggregates` answers?
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Aggregates
end

-- Of aggregate i: of the first number, of one more, of two accumulators, and what it comes to. Accumulators are fields a1, a2, ...
local texts = {
  count = { first = "aI = 1", add = "acc.aI = acc.aI + 1", merge = "a.aI = a.aI + b.aI", result = "acc.aI" },
  sum = { first = "aI = vI", add = "acc.aI = add(acc.aI, vI)", merge = "a.aI = add(a.aI, b.aI)", result = "acc.aI" },
  min = { first = "aI = vI", add = "if less(vI, acc.aI) then acc.aI = vI end", merge = "if less(b.aI, a.aI) then a.aI = b.aI end", result = "acc.aI" },
  max = { first = "aI = vI", add = "if less(acc.aI, vI) then acc.aI = vI end", merge = "if less(a.aI, b.aI) then a.aI = b.aI end", result = "acc.aI" },
  avg = {
    first = "aI = tonumber(vI), nI = 1", add = "acc.aI, acc.nI = acc.aI + tonumber(vI), acc.nI + 1",
    merge = "a.aI, a.nI = a.aI + b.aI, a.nI + b.nI", result = "acc.aI / acc.nI",
  },
}

local function joined(list, separator, text_of)
  local parts = {}
  for i, item in ipairs(list) do
    local text = text_of(item)
    if text then parts[#parts + 1] = (text:gsub("([avn])I", "%1" .. i)) end
  end
  return table.concat(parts, separator)
end

--- The fields of a result, as the text of a table constructor over an accumulator `acc`.
---@param list { operator: string, name: string }[]
---@return string
function M.result_text(list)
  return joined(list, ", ", function(item) return ("[%q] = %s"):format(item.name, texts[item.operator].result) end)
end

-- The numbers that a record brings, each of them checked.
local function read_text(list)
  return joined(list, "\n", function(item)
    if not item.field then return nil end
    return ("local vI = value[%q]\nif type(vI) ~= 'number' and not is(vI) then refuse(%q, %q, vI) end"):format(item.field, item.operator, item.field)
  end)
end

local template = [[
local is, add, less, refuse = ...
local function first(value)
  READ
  return { FIRST }
end
local function more(acc, value)
  READ
  ADD
  return acc
end
local function merge(a, b)
  MERGE
  return a
end
return first, more, merge, function(acc, key) return { key = key, RESULT } end
]]

---@param list { operator: string, field: string?, name: string }[]
---@return fun(value: any): table first, fun(acc: table, value: any): table add, fun(a: table, b: table): table merge, fun(acc: table, key: any): table result
local function functions(list)
  local parts = { READ = read_text(list), RESULT = M.result_text(list) }
  for name, part in pairs { FIRST = "first", ADD = "add", MERGE = "merge" } do
    parts[name] = joined(list, name == "FIRST" and ", " or "\n", function(item) return texts[item.operator][part] end)
  end
  return generate((template:gsub("%u%u%u+", parts)), "=aggregates", numbers.is, numbers.add, numbers.less, numbers.refuse_field)
end

local function fields_of(list)
  local fields = {}
  for _, item in ipairs(list) do
    if item.field then fields[#fields + 1] = item.field end
  end
  return fields
end

--- What a window keeps of its elements for them.
---@param aggregates Aggregates
---@param for_function boolean is the result handed to a function, instead of being emitted?
---@return WindowContents
function M.contents(aggregates, for_function)
  local list = aggregates.list
  local first, add, merge, result = functions(list)
  local fields = fields_of(list)
  return {
    kind = "fold", first = first, add = add, merge = merge, engine = list, result = for_function and result or nil,
    reads = #fields == 0 and "nothing" or { fields = fields }, fields = list,
  }
end

--- The step without windows: a result for every record (S60).
---@param aggregates Aggregates
---@return ProcessDefinition
function M.rolling(aggregates)
  local first, add, _, result = functions(aggregates.list)
  return {
    state = { accumulators = state.value_state() },
    process_element = function(self, value, ctx, out)
      local accumulators = self.accumulators:value()
      if accumulators == nil then accumulators = first(value) else accumulators = add(accumulators, value) end
      self.accumulators:update(accumulators)
      out:collect(result(accumulators, ctx:current_key()))
    end,
  }
end

return M
