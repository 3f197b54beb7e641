--- The step of two inputs: its name and definition, checked and in one form.
local describe = require "moontide.describe"
local on_error = require "moontide.on_error"
local operator_states = require "moontide.operator_states"
local options = require "moontide.options"
local process = require "moontide.process"
local state_table = require "moontide.state_table"
local where = require "moontide.where"

local M = {}

---@class ConnectDefinition
---@field state? States of the key, which both inputs share
---@field parallelism? integer
---@field on_error? OnError
---@field open? fun(self: Process, ctx: OpenContext)
---@field close? fun(self: Process)
---@field process_element1 fun(self: Process, value: any, ctx: Context, out: Collector) of the stream that was connected
---@field process_element2 fun(self: Process, value: any, ctx: Context, out: Collector) of the one that it was connected to
---@field on_timer? fun(self: Process, timestamp: number, ctx: TimerContext, out: Collector)

---@class BroadcastDefinition
---@field state? States of the key; the broadcast states are on `self` beside them
---@field parallelism? integer
---@field on_error? OnError
---@field open? fun(self: Process, ctx: OpenContext)
---@field close? fun(self: Process)
---@field process_element fun(self: Process, value: any, ctx: Context, out: Collector) may read broadcast state
---@field process_broadcast_element fun(self: Process, value: any, ctx: BroadcastContext, out: Collector) may write it; has no key
---@field on_timer? fun(self: Process, timestamp: number, ctx: TimerContext, out: Collector) may read broadcast state

local of_streams = { "process_element1", "process_element2" }
local of_broadcast = { "process_element", "process_broadcast_element" }

local function specs_for(callbacks)
  local specs = {
    state_table.spec "state", process.parallelism_spec, on_error.spec,
    { name = "open", type = "function" }, { name = "close", type = "function" }, { name = "on_timer", type = "function" },
  }
  for _, name in ipairs(callbacks) do specs[#specs + 1] = { name = name, type = "function", required = true } end
  return specs
end

local specs = { [of_streams] = specs_for(of_streams), [of_broadcast] = specs_for(of_broadcast) }

local function reserved_for(callbacks)
  local reserved = { open = true, close = true, on_timer = true }
  for _, name in ipairs(callbacks) do reserved[name] = true end
  return reserved
end

-- What the author calls each function, for reports.
local function callbacks_of(checked, inputs)
  local names = {}
  for _, name in ipairs { "open", "close", "on_timer", inputs[1], inputs[2] } do
    if checked[name] then names[checked[name]] = name end
  end
  return names
end

local function check_definition(what, definition, inputs)
  if type(definition) == "table" and getmetatable(definition) == nil then return options.check(what, definition, specs[inputs]) end
  where.raise("%s: needs a definition { %s = function(self, value, ctx, out) end, %s = ... }, got %s", what, inputs[1], inputs[2], describe(definition))
end

local function add_broadcast(what, step, checked, broadcast)
  local own = step.operator_state_names
  for _, name in ipairs(broadcast.names) do
    if checked.state[name] or checked.operator_state[name] then where.raise("%s: '%s' is in 'state' and a broadcast state", what, name) end
    own[#own + 1], checked.operator_state[name] = name, broadcast.states[name]
  end
  table.sort(own)
end

--- Check the name and definition of a step of two inputs, and answer the step's fields.
---@param method string ":process"
---@param keyed boolean
---@param name any
---@param definition any
---@param broadcast? { names: string[], states: table<string, StateDescriptor> } where the second input is a broadcast stream
---@return table
function M.step(method, keyed, name, definition, broadcast)
  process.check_name(method, name)
  local what = ('%s("%s")'):format(method, name)
  local inputs = broadcast and of_broadcast or of_streams
  local checked = check_definition(what, definition, inputs)
  local step = { kind = "connect", name = name, definition = checked, input_callbacks = inputs }
  local names = state_table.check(what, checked.state, reserved_for(inputs), true)
  step.state_names, checked.state, step.operator_state_names, checked.operator_state = operator_states.split(what, keyed, checked.state, names)
  if checked.on_timer and not keyed then
    where.raise("%s: 'on_timer': timers belong to a key and this stream has none: call :key_by first", what)
  end
  if broadcast then add_broadcast(what, step, checked, broadcast) end
  step.callbacks = callbacks_of(checked, inputs)
  step.parallelism, step.on_error = checked.parallelism, checked.on_error
  checked.parallelism, checked.on_error = nil, nil
  return step
end

return M
