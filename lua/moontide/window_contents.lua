--- What a window keeps of its elements: all of them, or one value that takes each
--- of them in.
local aggregate = require "moontide.aggregate"
local blame = require "moontide.runtime.blame"
local numbers = require "moontide.numbers"

local M = {}

---@class WindowContents
---@field kind "list"|"sides"|"fold"
---@field paired? boolean of sides: the function gets each pair of elements, else all of them at once
---@field first? fun(value: any): any of a fold: what it is of one element
---@field add? fun(kept: any, value: any): any
---@field merge? fun(a: any, b: any): any of two windows that become one
---@field result? fun(kept: any): any what is emitted; nil: what is kept
---@field empty? fun(): any what is kept of no elements, where an evictor left none; nil: nothing is emitted then
---@field aggregate? Aggregate that it was made of
---@field field? "count"|"sum"|"min"|"max" emitted in a record of key, window and this field
---@field engine? EngineAggregate[] what it comes to where the engine aggregates by itself
---@field fields? { operator: string, name: string }[] of several aggregates, emitted likewise
---@field reads "all"|"nothing"|{ fn: function, parameter: integer }[]|{ fields: string[] }|string what it sees of an element: a text is a field

--- All elements, for a function.
---@return WindowContents
function M.list()
  return { kind = "list", reads = "all" }
end

--- All elements of two inputs, each input's for itself.
---@param paired boolean
---@return WindowContents
function M.sides(paired)
  return { kind = "sides", paired = paired, reads = "all" }
end

--- The reduced value.
---@param fn fun(a: any, b: any): any
---@return WindowContents
function M.reduce(fn)
  local function reduce(a, b)
    local reduced = fn(a, b)
    if reduced == nil then blame.raise(fn, "reduce", "the function of reduce answered nothing") end
    return reduced
  end
  return { kind = "fold", first = function(value) return value end, add = reduce, merge = reduce, reads = "all" }
end

local function accumulator(value, fn, name)
  if value == nil then blame.raise(fn, name, "'%s' of the aggregate answered nothing: it must return the accumulator", name) end
  return value
end

--- The accumulator of an aggregate.
---@param what string
---@param definition Aggregate
---@return WindowContents
function M.aggregate(what, definition)
  local checked = aggregate.check(what, definition)
  local create, add, merge = checked.create, checked.add, checked.merge
  return {
    kind = "fold",
    first = function(value) return (accumulator(add(create(), value), add, "add")) end,
    add = function(kept, value) return (accumulator(add(kept, value), add, "add")) end,
    merge = merge and function(a, b) return (accumulator(merge(a, b), merge, "merge")) end,
    aggregate = checked, result = checked.result, empty = create, reads = { { fn = add, parameter = 2 } },
  }
end

local function sum(a, b) return a + b end

--- How many elements there are.
---@return WindowContents
function M.count()
  return {
    kind = "fold", field = "count", reads = "nothing", merge = sum, engine = { { operator = "count", name = "count" } },
    first = function() return 1 end, add = function(kept) return kept + 1 end, empty = function() return 0 end,
  }
end

local function of_field(operator, field, combine)
  local function number_of(value)
    local number = value[field]
    if not numbers.is(number) then numbers.refuse_field(operator, field, number) end
    return number
  end
  return {
    kind = "fold", field = operator, reads = field, first = number_of, merge = combine,
    engine = { { operator = operator, field = field, name = operator } },
    add = function(kept, value) return (combine(kept, number_of(value))) end,
  }
end

--- The sum of a field.
---@param field string
---@return WindowContents
function M.sum(field)
  return of_field("sum", field, numbers.add)
end

--- The smallest value of a field.
---@param field string
---@return WindowContents
function M.min(field)
  return of_field("min", field, function(a, b) return numbers.less(b, a) and b or a end)
end

--- The largest value of a field.
---@param field string
---@return WindowContents
function M.max(field)
  return of_field("max", field, function(a, b) return numbers.less(a, b) and b or a end)
end

return M
