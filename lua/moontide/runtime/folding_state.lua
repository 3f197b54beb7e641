--- Reducing and aggregating state, bound to a step's call cell: a value state that
--- takes in what is added (S51).
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local value_state = require "moontide.runtime.value_state"

local source = [[
local kept, first, add, result = ...
local FoldingState = {}

function FoldingState:get()
  local value = kept:value()
  if value == nil then return nil end
  return (result(value))
end

function FoldingState:add(value)
  if value == nil then error("nil cannot be added to a state (mt.null can)", 2) end
  local before = kept:value()
  if before == nil then value = first(value) else value = add(before, value) end
  if value == nil then error("the function of a state answered nothing", 2) end
  kept:update(value)
end

function FoldingState:clear()
  kept:update(nil)
end

return FoldingState
]]

-- `merge`: of two states into one, where windows merge; nil: they cannot be.
local function new(what, kept, first, add, result, merge)
  local class = generate(source, "=folding_state", kept, first, add, result)
  return methods(class, what, { kept = kept, merge = merge or false })
end

local function same(value) return value end

local M = {}

--- State of `mt.reducing_state`.
function M.reducing(call, slot_index, descriptor, binding)
  local reduce = descriptor.reduce
  return lend(call, new("a reducing state", value_state(call, slot_index, {}, binding), same, reduce, same, reduce))
end

--- State of `mt.aggregating_state`.
function M.aggregating(call, slot_index, descriptor, binding)
  local create, add = descriptor.create, descriptor.add
  local function first(value) return (add(create(), value)) end
  local kept = value_state(call, slot_index, {}, binding)
  return lend(call, new("an aggregating state", kept, first, add, descriptor.result, descriptor.merge))
end

return M
