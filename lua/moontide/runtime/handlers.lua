--- The handler of each operator in Lua: what its worker calls when the engine asks.
local C = require "moontide.engine"
local collector = require "moontide.runtime.collector"
local context = require "moontide.runtime.context"
local graph = require "moontide.runtime.graph"
local loops = require "moontide.runtime.loops"
local lua_sink = require "moontide.runtime.lua_sink"
local lua_source = require "moontide.runtime.lua_source"
local made_fields = require "moontide.runtime.made_fields"
local no_key = require "moontide.runtime.no_key"

local M = {}

local bind_state = {
  value = require "moontide.runtime.value_state",
  list = require "moontide.runtime.list_state",
  map = require "moontide.runtime.map_state",
}

-- The same names on `self` in open and close, where there is no key.
local unbound = setmetatable({}, { __index = function() return function() no_key() end end })

local function set_states(self, names, states)
  for _, name in ipairs(names) do self[name] = states and states[name] or unbound end
end

-- open(self, ctx): a context that knows the subtask and no record.
local function open_context(call)
  return {
    subtask = function() return call.subtask end,
    parallelism = function() return call.parallelism end,
    request_checkpoint = function() C.call_request_checkpoint(call) end,
  }
end

local function process_handler(call, operator, guarded)
  local definition, names = operator.step.definition, operator.step.state_names
  local self, made = {}, made_fields.of_process(definition)
  local ctx, out = context(call, operator.ports, operator.rest_port), collector(call, 0, made.collected)
  local states, loop
  local requests = {}

  requests[3] = function() -- CALL_OPEN
    set_states(self, names, nil)
    if definition.open then definition.open(self, open_context(call)) end
    states = {}
    for slot, name in ipairs(names) do
      local descriptor = definition.state[name]
      states[name] = bind_state[descriptor.kind](call, slot - 1, descriptor, { plain_writes = not guarded, fields = made.states[name] })
    end
    set_states(self, names, states)
    loop = loops.make(call, operator, { fn = definition.process_element, self = self, ctx = ctx, out = out, guarded = guarded })
  end
  requests[4] = function() -- CALL_CLOSE
    set_states(self, names, nil)
    if definition.close then definition.close(self) end
  end
  requests[1] = function() loop() end
  return requests
end

local function stateless_handler(call, operator, guarded)
  local out, step = collector(call, 0, made_fields.of_operator(operator)), operator.step
  call.pass_input = operator.terminal == "key" and #operator.stages == 0
  local loop
  return {
    [1] = function() loop() end,
    [3] = function() loop = loops.make(call, operator, { fn = step.fn, out = out, guarded = guarded }) end,
    [4] = function() end,
  }
end

local makers = { process = process_handler, source = lua_source, sink = lua_sink }

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
