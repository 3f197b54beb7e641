--- The handler of a step of two inputs: a loop for each, over the same `self`, states
--- and timers. All records of a batch come from one input.
local binding = require "moontide.runtime.binding"
local collector = require "moontide.runtime.collector"
local context = require "moontide.runtime.context"
local loops = require "moontide.runtime.loops"
local map_hints = require "moontide.runtime.map_hints"
local operator_state = require "moontide.runtime.operator_state"
local state_migration = require "moontide.runtime.state_migration"
local timer_loop = require "moontide.runtime.timer_loop"
local timer_service = require "moontide.runtime.timer_service"
local visit = require "moontide.runtime.visit"

---@class TwoInputs
---@field visit? Visit of a keyed step with broadcast state
local TwoInputs = {}
TwoInputs.__index = TwoInputs

local function no_timers_here()
  error("timers belong to a key: broadcast records have none", 3)
end

local function no_states_to_visit()
  error("apply_to_keyed_state: the stream is not keyed", 3)
end

local function element_context(self, of_timer)
  return context(self.call, self.operator.ports, self.operator.rest_port, self.timers, of_timer)
end

local function broadcast_context(self)
  local ctx = context(self.call, self.operator.ports, self.operator.rest_port, timer_service(self.call, no_timers_here))
  local visits = self.visit
  getmetatable(ctx).apply_to_keyed_state = visits and function(_, name, fn) return visits:apply(name, fn) end or no_states_to_visit
  return ctx
end

-- The callbacks write operator state that a failure takes back.
local function committing(self, fn)
  return self.kept and self.kept:committing(fn) or fn
end

local function input_loop(self, input, ctx)
  local name = self.operator.step.input_callbacks[input + 1]
  local operator = { name = ("%s, %s"):format(self.operator.name, name), terminal = "process", stages = {} }
  local bound = { fn = committing(self, self.definition[name]), self = self.target, ctx = ctx, out = collector(self.call, 0), guarded = self.guarded }
  local loop, tell = loops.make(self.call, operator, bound), map_hints.make(self.call, self.operator.step.state_names, self.definition.state, self.definition[name])
  return tell and function()
    tell()
    loop()
  end or loop
end

local function make_loops(self)
  local broadcast = self.broadcast
  self.loops = { [0] = input_loop(self, 0, element_context(self)), input_loop(self, 1, broadcast and broadcast_context(self) or element_context(self)) }
  if not self.definition.on_timer then return end
  self.fire = timer_loop(self.call, self.operator, {
    fn = committing(self, self.definition.on_timer), self = self.target, ctx = element_context(self, true), out = collector(self.call, 0),
    guarded = self.guarded,
  })
end

-- Operator state that only one input may write is bound anew where the input changes.
local function bind_side(self, side)
  if not self.kept or self.side == side then return end
  self.kept:bind(self.target, side)
  self.side = side
end

local function rollback(self)
  if self.kept then self.kept:rollback() end
  if self.visit then self.visit:reset() end
end

function TwoInputs:open()
  local step, definition = self.operator.step, self.definition
  binding.set_states(self.target, step.state_names, nil)
  if self.kept then self.kept:restore() end
  bind_side(self, self.broadcast and "reader" or "writer")
  if definition.open then definition.open(self.target, binding.open_context(self.call)) end
  if self.kept then self.kept:commit() end
  state_migration(self.call, step)
  binding.set_states(self.target, step.state_names, binding.bind_states(self.call, step.state_names, definition.state, self.guarded))
  if self.broadcast and step.keyed then self.visit = visit.new(self.call, step, self.guarded) end
  make_loops(self)
end

function TwoInputs:batch()
  local input = self.call.input
  rollback(self)
  bind_side(self, self.broadcast and input == 0 and "reader" or "writer")
  self.loops[input]()
end

function TwoInputs:timers_due()
  rollback(self)
  bind_side(self, self.broadcast and "reader" or "writer")
  self.fire()
end

function TwoInputs:close()
  binding.set_states(self.target, self.operator.step.state_names, nil)
  bind_side(self, self.broadcast and "reader" or "writer")
  if self.definition.close then self.definition.close(self.target) end
  if self.visit then self.visit:close() end
end

return function(call, operator, guarded)
  local step = operator.step
  local self = setmetatable({ call = call, operator = operator, definition = step.definition, guarded = guarded, target = {} }, TwoInputs)
  self.broadcast = step.input_callbacks[2] == "process_broadcast_element"
  self.kept = operator_state.of_step(call, step, guarded)
  self.timers = timer_service(call, binding.timers_refused(step))
  return {
    [1] = function() self:batch() end,
    [3] = function() self:open() end,
    [4] = function() self:close() end,
    [5] = function() self.kept:save() end,
    [7] = function() self:timers_due() end,
  }
end
