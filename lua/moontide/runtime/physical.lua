--- From a job's logical steps to the steps that workers run. Neighbouring
--- functions without state are fused into the loop of the step behind them; the
--- same job gives the same list in every worker.
---
--- An operator here is { kind, name, stages, terminal, step, ports, ... }; edges
--- are { from = operator index, port, to = operator index, input = of a step of two }.
local engine_window = require "moontide.runtime.engine_window"

local M = {}

---@class Operator
---@field kind "source"|"call"|"key"|"exchange"|"sink"|"assign"|"aggregate"
---@field name string
---@field step Step the logical step it stands for
---@field stages table[] map and filter steps that run before the terminal
---@field terminal? "emit"|"key"|"flat_map"|"process"|"window"|"connect"|"interval_join"|"sink"|"source" of a call
---@field keyed? boolean it has keyed state
---@field ports table<string, integer> number of the output of each side tag
---@field dead_ports table<integer, integer> number of the output that leads to each dead letter sink
---@field exchange? "hash"|"rebalance"|"global"|"broadcast"

local absorbs = { map = true, filter = true, flat_map = true }

local function absorbs_stages(step)
  if #step.inputs ~= 1 or step.inputs[1].tag or step.parallelism then return false end
  if absorbs[step.kind] then return true end
  if step.kind == "process" then return not step.keyed end
  if step.kind == "sink" then return step.connector == "lua" end
  return step.kind == "key_by" and step.fn ~= nil
end

local Builder = {}
Builder.__index = Builder

local function consumers_of(steps)
  local consumers = {}
  for _, step in ipairs(steps) do consumers[step.id] = {} end
  for _, step in ipairs(steps) do
    for _, input in ipairs(step.inputs) do table.insert(consumers[input.step], step) end
  end
  return consumers
end

function Builder:add(kind, name, step)
  local operator = { kind = kind, name = name, step = step, stages = {}, ports = {}, dead_ports = {}, port_count = 1 }
  self.operators[#self.operators + 1] = operator
  operator.index = #self.operators
  return operator
end

function Builder:connect(stream, operator, input)
  for _, source in ipairs(stream.sources) do
    self.edges[#self.edges + 1] = { from = source.operator.index, port = source.port, to = operator.index, input = input }
  end
end

local function stream_of(operator, port)
  return { sources = { { operator = operator, port = port or 0 } }, stages = {} }
end

-- Stages that nobody absorbed become a step of their own.
function Builder:materialize(stream)
  if #stream.stages == 0 then return stream end
  local last = stream.stages[#stream.stages]
  local operator = self:add("call", last.name, last)
  operator.stages, operator.terminal = stream.stages, "emit"
  self:connect(stream, operator)
  self:connect_dead_letters(operator)
  return stream_of(operator)
end

local function policy_of(self, step)
  return step.on_error or self.job.options.on_error
end

-- An output for each sink of dead letters that a function of this operator may need.
function Builder:connect_dead_letters(operator)
  local steps = { operator.step }
  for _, stage in ipairs(operator.stages) do steps[#steps + 1] = stage end
  for _, step in ipairs(steps) do
    local policy = policy_of(self, step)
    local sink = type(policy) == "table" and step.role ~= "dead_letter" and policy.dead_letter
    if sink and not operator.dead_ports[sink] then
      operator.dead_ports[sink] = operator.port_count
      self.edges[#self.edges + 1] = { from = operator.index, port = operator.port_count, dead_letter = sink }
      operator.port_count = operator.port_count + 1
    end
  end
end

function Builder:side_port(operator, tag)
  local port = operator.ports[tag]
  if not port then
    port = operator.port_count
    operator.ports[tag], operator.port_count = port, port + 1
  end
  return port
end

function Builder:input_stream(input)
  local stream = self.streams[input.step]
  if not input.tag then return stream end
  return stream_of(stream.terminal, self:side_port(stream.terminal, input.tag))
end

local function copy_stages(stages, step)
  local copy = {}
  for i, stage in ipairs(stages) do copy[i] = stage end
  copy[#copy + 1] = step
  return copy
end

-- Takes the stages in, if it may; else they have become a step before it.
function Builder:call(step, terminal, input)
  local operator = self:add("call", step.name, step)
  operator.terminal = terminal
  if #input.stages > 0 and step.kind ~= "key_by" and not absorbs_stages(step) then input = self:materialize(input) end
  operator.stages = input.stages
  self:connect(input, operator)
  self:connect_dead_letters(operator)
  return operator
end

local build = {}

function build.source(self, step)
  local in_lua = step.definition ~= nil
  local operator = self:add(in_lua and "call" or "source", step.name, step)
  operator.terminal = in_lua and "source" or nil
  self:connect_dead_letters(operator)
  return stream_of(operator)
end

local function stage(self, step)
  local input = self:input_stream(step.inputs[1])
  local stream = { sources = input.sources, stages = copy_stages(input.stages, step) }
  local consumers = self.consumers[step.id]
  if #consumers == 1 and absorbs_stages(consumers[1]) and #stream.stages < 50 then return stream end
  return self:materialize(stream)
end
build.map, build.filter = stage, stage

function build.assign_timestamps(self, step)
  local input = self:input_stream(step.inputs[1])
  if step.fn then return stream_of(self:call(step, "timestamps", input)) end
  input = self:materialize(input)
  local operator = self:add("assign", step.name, step)
  self:connect(input, operator)
  self:connect_dead_letters(operator)
  return stream_of(operator)
end

function build.flat_map(self, step)
  return stream_of(self:call(step, "flat_map", self:input_stream(step.inputs[1])))
end

function Builder:exchange(step, kind, stream, suffix)
  local operator = self:add("exchange", step.name .. (suffix or "#exchange"), step)
  operator.exchange = kind
  self:connect(stream, operator)
  return stream_of(operator)
end

function build.key_by(self, step)
  local input = self:input_stream(step.inputs[1])
  local operator
  if step.fn then
    operator = self:call(step, "key", input)
  else
    input = self:materialize(input)
    operator = self:add("key", step.name, step)
    self:connect(input, operator)
    self:connect_dead_letters(operator)
  end
  return self:exchange(step, "hash", stream_of(operator))
end

local function exchange_step(self, step)
  local before = self:materialize(self:input_stream(step.inputs[1]))
  local stream = self:exchange(step, step.kind, before)
  stream.before = step.kind == "broadcast" and before or nil
  return stream
end
build.rebalance, build.global, build.broadcast = exchange_step, exchange_step, exchange_step

function build.union(self, step)
  local joined = { sources = {}, stages = {} }
  for _, input in ipairs(step.inputs) do
    for _, source in ipairs(self:materialize(self:input_stream(input)).sources) do
      joined.sources[#joined.sources + 1] = source
    end
  end
  return joined
end

-- A step of one subtask gets all records there.
local function narrowed(self, step, input)
  if step.parallelism ~= 1 or step.keyed then return input end
  return self:exchange(step, "global", self:materialize(input))
end

function build.process(self, step)
  local input = narrowed(self, step, self:input_stream(step.inputs[1]))
  local operator = self:call(step, step.kind, input)
  operator.keyed = step.keyed
  local stream = stream_of(operator)
  stream.terminal = operator
  return stream
end

-- Windows of aggregates that the engine has never enter Lua.
function build.window(self, step)
  if not engine_window.is(step) then return build.process(self, step) end
  local input = self:materialize(self:input_stream(step.inputs[1]))
  local operator = self:add("aggregate", step.name, step)
  operator.keyed = true
  self:connect(input, operator)
  self:connect_dead_letters(operator)
  local stream = stream_of(operator)
  stream.terminal = operator
  return stream
end

-- A broadcast input of a step of one subtask is not sent to the others and on to it as often as there are subtasks.
local function narrowed_input(self, step, number)
  local input = step.inputs[number]
  local stream = self:materialize(self:input_stream(input))
  if step.parallelism ~= 1 or step.keyed then return stream end
  return self:exchange(step, "global", stream.before or stream, "#exchange" .. number)
end

local function two_inputs(self, step)
  local first, second = narrowed_input(self, step, 1), narrowed_input(self, step, 2)
  local operator = self:add("call", step.name, step)
  operator.terminal, operator.keyed = step.kind, step.keyed
  self:connect(first, operator, 0)
  self:connect(second, operator, 1)
  self:connect_dead_letters(operator)
  local stream = stream_of(operator)
  stream.terminal = operator
  return stream
end
build.connect, build.interval_join = two_inputs, two_inputs

function build.sink(self, step)
  local in_lua = step.connector == "lua"
  local input = step.inputs[1] and narrowed(self, step, self:input_stream(step.inputs[1])) or { sources = {}, stages = {} }
  if in_lua then return stream_of(self:call(step, "sink", input)) end
  input = self:materialize(input)
  local operator = self:add("sink", step.name, step)
  self:connect(input, operator)
  if step.role ~= "dead_letter" then self:connect_dead_letters(operator) end
  return stream_of(operator)
end

local function resolve_dead_letters(self)
  for _, edge in ipairs(self.edges) do
    if edge.dead_letter then edge.to = self.streams[edge.dead_letter].sources[1].operator.index end
  end
end

--- The operators and edges of a job.
---@param job Job
---@return { operators: Operator[], edges: table[] }
function M.build(job)
  local self = setmetatable({ job = job, operators = {}, edges = {}, streams = {}, consumers = consumers_of(job.steps) }, Builder)
  for _, step in ipairs(job.steps) do
    self.streams[step.id] = build[step.kind](self, step)
  end
  resolve_dead_letters(self)
  return { operators = self.operators, edges = self.edges }
end

--- "fail", "skip", or { dead_letter = sink step }.
---@param job Job
---@param step Step
function M.policy(job, step)
  if step.role == "dead_letter" then return "fail" end
  return step.on_error or job.options.on_error
end

return M
