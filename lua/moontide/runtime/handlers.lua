--- The handler of each operator in Lua: what its worker calls when the engine asks.
local binding = require "moontide.runtime.binding"
local collector = require "moontide.runtime.collector"
local connect = require "moontide.runtime.connect"
local context = require "moontide.runtime.context"
local encoding = require "moontide.runtime.encode"
local graph = require "moontide.runtime.graph"
local interval_join = require "moontide.runtime.interval_join"
local loops = require "moontide.runtime.loops"
local lua_sink = require "moontide.runtime.lua_sink"
local lua_source = require "moontide.runtime.lua_source"
local made_fields = require "moontide.runtime.made_fields"
local map_hints = require "moontide.runtime.map_hints"
local operator_state = require "moontide.runtime.operator_state"
local state_migration = require "moontide.runtime.state_migration"
local timer_loop = require "moontide.runtime.timer_loop"
local timestamps_handler = require "moontide.runtime.timestamps_handler"
local timer_service = require "moontide.runtime.timer_service"
local window_handler = require "moontide.runtime.window_handler"

local M = {}

-- The main output, and where it may get the records that come in: who is told of their shapes.
local function output_of(call, known)
  local out, place = collector(call, 0, known and known.fields)
  return out, known and known.passes and encoding.watcher(place) or nil
end

local function process_handler(call, operator, guarded)
  local definition, names = operator.step.definition, operator.step.state_names
  local self, made = {}, made_fields.of_process(definition, operator.step.plain, operator.stages)
  local timers = timer_service(call, binding.timers_refused(operator.step))
  local ctx, out, met = context(call, operator.ports, operator.rest_port, timers), output_of(call, made.collected)
  local kept = operator_state.of_step(call, operator.step, guarded)
  local process_element = kept and kept:committing(definition.process_element) or definition.process_element
  local loop, fire, tell
  local requests = {}

  requests[3] = function() -- CALL_OPEN
    binding.set_states(self, names, nil)
    if kept then kept:open(self) end
    if definition.open then definition.open(self, binding.open_context(call)) end
    if kept then kept:commit() end
    state_migration(call, operator.step)
    binding.set_states(self, names, binding.bind_states(call, names, definition.state, guarded, made.states))
    loop = loops.make(call, operator, { fn = process_element, self = self, ctx = ctx, out = out, guarded = guarded, met = met })
    tell = map_hints.make(call, names, definition.state, definition.process_element)
    if definition.on_timer then
      local timer_ctx = context(call, operator.ports, operator.rest_port, timers, true)
      fire = timer_loop(call, operator, { fn = definition.on_timer, self = self, ctx = timer_ctx, out = collector(call, 0), guarded = guarded })
    end
  end
  requests[4] = function() -- CALL_CLOSE
    binding.set_states(self, names, nil)
    if definition.close then definition.close(self) end
  end
  requests[1] = function()
    if kept then kept:rollback() end
    if tell then tell() end
    loop()
  end
  requests[5] = function() kept:save() end -- CALL_SNAPSHOT
  requests[7] = function() fire() end -- CALL_TIMERS
  return requests
end

local function stateless_handler(call, operator, guarded)
  local step, out, met = operator.step, output_of(call, made_fields.of_operator(operator))
  call.pass_input = operator.terminal == "key" and #operator.stages == 0
  local loop
  return {
    [1] = function() loop() end,
    [3] = function() loop = loops.make(call, operator, { fn = step.fn, out = out, guarded = guarded, met = met }) end,
    [4] = function() end,
  }
end

local makers = {
  timestamps = timestamps_handler, process = process_handler, connect = connect, interval_join = interval_join, window = window_handler,
  source = lua_source, sink = lua_sink,
}

--- What the worker calls for an operator in Lua.
---@param call ffi.cdata* struct call
---@param job Job
---@param operator Operator
---@return function handler, boolean guarded
function M.make(call, job, operator)
  local guarded = graph.policy_of(job, operator) ~= 0
  local requests = (makers[operator.terminal] or stateless_handler)(call, operator, guarded)
  return function() return requests[call.request]() end, guarded
end

return M
