--- Definitions of the rolling operators: they emit for every record (S60).
---
--- Each is a process definition, built like any author's own; what they keep
--- between records is one value state.
local aggregate = require "moontide.aggregate"
local blame = require "moontide.runtime.blame"
local numbers = require "moontide.numbers"
local state = require "moontide.state"

local M = {}

--- Emits the reduced value of all records of the key so far.
---@param fn fun(a: any, b: any): any
---@return ProcessDefinition
function M.reduce(fn)
  return {
    state = { reduced = state.value_state() },
    process_element = function(self, value, _, out)
      local reduced = self.reduced:value()
      if reduced ~= nil then
        value = fn(reduced, value)
        if value == nil then blame.raise(fn, "reduce", "the function of reduce answered nothing") end
      end
      self.reduced:update(value)
      out:collect(value)
    end,
  }
end

--- Emits the result of an aggregate over all records of the key so far.
---@param definition Aggregate
---@return ProcessDefinition
function M.aggregate(definition)
  local checked = aggregate.check(":aggregate", definition)
  local create, add, result = checked.create, checked.add, checked.result
  return {
    state = { accumulator = state.value_state() },
    process_element = function(self, value, _, out)
      local accumulator = self.accumulator:value()
      if accumulator == nil then accumulator = create() end
      accumulator = add(accumulator, value)
      if accumulator == nil then blame.raise(add, "add", "'add' of the aggregate answered nothing: it must return the accumulator") end
      self.accumulator:update(accumulator)
      local emitted = result(accumulator)
      if emitted ~= nil then out:collect(emitted) end
    end,
  }
end

--- Emits `{ key, count }`.
---@return ProcessDefinition
function M.count()
  return {
    state = { count = state.value_state { default = 0 } },
    process_element = function(self, _, ctx, out)
      local count = self.count:value() + 1
      self.count:update(count)
      out:collect { key = ctx:current_key(), count = count }
    end,
  }
end

--- Emits `{ key, sum }` of a field.
---@param field string
---@return ProcessDefinition
function M.sum(field)
  return {
    state = { sum = state.value_state { default = 0 } },
    process_element = function(self, value, ctx, out)
      local number = value[field]
      if not numbers.is(number) then numbers.refuse_field("sum", field, number) end
      local sum = numbers.add(self.sum:value(), number)
      self.sum:update(sum)
      out:collect { key = ctx:current_key(), sum = sum }
    end,
  }
end

--- Emits `{ key, min }` of a field.
---@param field string
---@return ProcessDefinition
function M.min(field)
  return {
    state = { min = state.value_state() },
    process_element = function(self, value, ctx, out)
      local number, min = value[field], self.min:value()
      if not numbers.is(number) then numbers.refuse_field("min", field, number) end
      if min == nil or numbers.less(number, min) then
        min = number
        self.min:update(min)
      end
      out:collect { key = ctx:current_key(), min = min }
    end,
  }
end

--- Emits `{ key, max }` of a field.
---@param field string
---@return ProcessDefinition
function M.max(field)
  return {
    state = { max = state.value_state() },
    process_element = function(self, value, ctx, out)
      local number, max = value[field], self.max:value()
      if not numbers.is(number) then numbers.refuse_field("max", field, number) end
      if max == nil or numbers.less(max, number) then
        max = number
        self.max:update(max)
      end
      out:collect { key = ctx:current_key(), max = max }
    end,
  }
end

return M
