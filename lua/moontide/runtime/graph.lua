--- Hands the operators of a job to the engine as its plan.
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local connectors = require "moontide.connectors"
local engine_window = require "moontide.runtime.engine_window"
local physical = require "moontide.runtime.physical"
local report = require "moontide.runtime.report"

local M = {}

local kinds = { source = 1, call = 2, key = 3, exchange = 4, sink = 5, input = 6, output = 7, assign = 8, aggregate = 9 }
local exchanges = { hash = 1, rebalance = 2, global = 3, broadcast = 4, forward = 5 }
local operator_state_kinds = { operator_list = 1, union_list = 2, broadcast = 3 }
local state_types = { value = 0, map = 1, list = 2, reducing = 3, aggregating = 4, timed_rows = 5 }
local window_kinds = { tumbling = 1, sliding = 2, session = 3, global = 4 }
local time_domains = { event = 0, processing = 1 }
local staggers = { aligned = 0, natural = 1, random = 2 }
local call_kinds = { source = 1, sink = 2 }

local function set_options(plan, index, settings)
  for _, setting in ipairs(settings) do check(C.plan_option(plan, index, setting.name, setting.key, setting.text)) end
end

local function set_connector(plan, index, step)
  local own, of_format = connectors.settings(step)
  check(C.plan_set_connector(plan, index, step.connector, of_format and step.connector_options.format or nil))
  set_options(plan, index, own)
  set_options(plan, index, of_format or {})
end

local function set_states(plan, index, step)
  check(C.plan_set_keyed(plan, index))
  if step.definition.on_timer or step.timers then check(C.plan_set_timers(plan, index)) end
  for _, name in ipairs(step.state_names) do
    local state = step.definition.state[name]
    local slot = check(C.plan_add_state(plan, index, name, state_types[state.kind]))
    C.plan_set_state_version(plan, index, slot, state.version, state.migrate ~= nil)
  end
end

-- Broadcast state comes by the second input, whose records have no key.
local function set_operator_states(plan, index, step)
  check(C.plan_set_saving(plan, index))
  for _, name in ipairs(step.operator_state_names) do
    local state = step.definition.operator_state[name]
    check(C.plan_add_operator_state(plan, index, name, operator_state_kinds[state.kind], state.version, state.migrate ~= nil))
    if state.kind == "broadcast" then check(C.plan_set_keyless(plan, index, 1)) end
  end
end

local function set_window(plan, index, step)
  local window = step.window
  local lateness = window.time == "event" and step.lateness or 0 -- S24
  check(C.plan_set_window(plan, index, ffi.new("struct step_window", {
    kind = window_kinds[window.kind], shape = { window.size, window.slide, window.offset }, domain = time_domains[window.time],
    stagger = staggers[window.stagger], lateness = lateness,
  })))
  if window.stagger ~= "aligned" then check(C.plan_set_saving(plan, index)) end
end

local function set_panes(plan, index, step)
  for _, state in ipairs(step.pane_states) do
    local slot = check(C.plan_add_pane_state(plan, index, state.name, state_types[state.descriptor.kind]))
    C.plan_set_pane_state_version(plan, index, slot, state.descriptor.version or 1)
  end
end

-- The strictest thing C must know: whether any function of the operator may fail without failing the job.
local function policy_of(job, operator)
  local steps = { operator.step }
  for _, stage in ipairs(operator.stages) do steps[#steps + 1] = stage end
  local policy, port = 0, -1
  for _, step in ipairs(steps) do
    local given = physical.policy(job, step)
    if given == "skip" and policy == 0 then policy = 1 end
    if type(given) == "table" then policy, port = 2, operator.dead_ports[given.dead_letter] end
  end
  return policy, port
end
M.policy_of = policy_of

local emit_default = 1000

local function set_watermarks(plan, index, step, options)
  local emit = step.emit or options and options.emit or emit_default
  check(C.plan_set_watermarks(plan, index, step.max_out_of_orderness, step.idle_timeout, emit, step.punctuated_alone))
  if step.max_drift then check(C.drift_set_max(plan, index, step.max_drift)) end
  if step.field then check(C.plan_set_timestamps(plan, index, step.field, step.unit, step.format)) end
end

local function add_operator(plan, job, operator, options)
  local index = check(C.plan_add(plan, kinds[operator.kind], operator.name))
  local step = operator.step
  if operator.kind == "source" or operator.kind == "sink" then set_connector(plan, index, step) end
  if operator.kind == "exchange" then check(C.plan_set_exchange(plan, index, exchanges[operator.exchange])) end
  if operator.subtasks then C.plan_set_subtasks(plan, index, operator.subtasks) end
  if operator.kind == "call" then check(C.plan_set_call(plan, index, call_kinds[operator.terminal] or 0)) end
  if operator.kind == "key" then
    for _, field in ipairs(step.fields) do check(C.plan_add_key_field(plan, index, field, not step.single)) end
  end
  if step.kind == "assign_timestamps" then set_watermarks(plan, index, step, options) end
  if operator.kind == "input" then check(C.plan_set_channels(plan, index, options.channels)) end
  if operator.keyed then set_states(plan, index, step) end
  if step.kind == "window" then set_window(plan, index, step) end
  if step.kind == "window" and operator.kind == "call" then set_panes(plan, index, step) end
  if operator.kind == "aggregate" then engine_window.set(plan, index, operator) end
  if operator.terminal == "sink" and operator.kind == "call" and step.definition.prepare then check(C.plan_set_saving(plan, index)) end
  if operator.kind == "call" and step.operator_state_names and #step.operator_state_names > 0 then set_operator_states(plan, index, step) end
  if step.where then C.plan_set_author(plan, index, job.name, report.place(step)) end
  if step.role == "dead_letter" then C.plan_set_letters(plan, index) end
  local policy, port = policy_of(job, operator)
  check(C.plan_set_policy(plan, index, policy, port or -1))
end

--- Fill an engine plan; the steps have the numbers of the operators less one.
---@param plan ffi.cdata* struct plan
---@param job Job
---@param graph { operators: Operator[], edges: table[] }
---@param options? { channels: integer, emit: integer } of inputs that are fed by hand; of watermarks whose author says nothing
function M.fill(plan, job, graph, options)
  for _, operator in ipairs(graph.operators) do add_operator(plan, job, operator, options) end
  for _, edge in ipairs(graph.edges) do check(C.plan_connect(plan, edge.from - 1, edge.port, edge.to - 1, edge.input or 0)) end
  check(C.plan_finish(plan))
end

return M
