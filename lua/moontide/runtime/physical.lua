--- From a job's logical steps to the steps that workers run. Neighbouring
--- functions without state are fused into the loop of the step behind them; the
--- same job gives the same list in every worker.
---
--- An operator here is { kind, name, stages, terminal, step, ports, ... }; edges
--- are { from = operator index, port, to = operator index, input = of a step of two }.
local chains = require "moontide.runtime.chains"
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
---@field exchange? "hash"|"rebalance"|"global"|"broadcast"|"forward"
---@field subtasks integer in how many workers it has something to do: in the first ones

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
  local operator = { kind = kind, name = name, step = step, stages = {}, ports = {}, dead_ports = {}, port_count = 1, subtasks = self.parallelism }
  self.operators[#self.operators + 1] = operator
  operator.index = #self.operators
  return operator
end

function Builder:connect(stream, operator, input)
  for _, source in ipairs(stream.sources) do
    self.edges[#self.edges + 1] = { from = source.operator.index, port = source.port, to = operator.index, input = input }
  end
end

-- The records are in as many workers as the operator has subtasks.
local function stream_of(operator, port)
  return { sources = { { operator = operator, port = port or 0 } }, stages = {}, subtasks = operator.subtasks }
end

-- Stages that nobody absorbed become a step of their own.
function Builder:materialize(stream)
  if #stream.stages == 0 then return stream end
  local last = stream.stages[#stream.stages]
  local operator = self:add("call", last.name, last)
  operator.stages, operator.terminal, operator.subtasks = stream.stages, "emit", stream.subtasks
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

-- The parallelism that its author gave to a step, which never is above that of the job.
function Builder:subtasks_of(step)
  return step.parallelism and math.min(step.parallelism, self.parallelism)
end

-- How records get to another worker: an exchange for each number of subtasks that steps behind it have, made when the first of them comes.
local function new_route(kind, step, from, name)
  return { kind = kind, step = step, from = from, name = name or step.name .. "#exchange", made = {} }
end

function Builder:routed(route, subtasks)
  if not route.made[subtasks] then
    local operator = self:add("exchange", route.name .. (next(route.made) and ":" .. subtasks or ""), route.step)
    operator.exchange, operator.subtasks = route.kind, subtasks
    self:connect(route.from, operator)
    route.made[subtasks] = stream_of(operator)
  end
  return route.made[subtasks]
end

-- What comes into an input of a step, in the workers that the step has subtasks in. A step without a parallelism of its own runs where its records are.
function Builder:arriving(step, number, name)
  local stream, subtasks = self:input_stream(step.inputs[number]), self:subtasks_of(step)
  if stream.route then return self:routed(stream.route, subtasks or self.parallelism) end
  if not subtasks or subtasks == stream.subtasks then return stream end
  return self:routed(new_route(subtasks == 1 and "global" or "rebalance", step, self:materialize(stream), name), subtasks)
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
  operator.terminal, operator.subtasks = terminal, input.subtasks
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
  operator.terminal, operator.subtasks = in_lua and "source" or nil, self:subtasks_of(step) or self.parallelism
  self:connect_dead_letters(operator)
  return stream_of(operator)
end

local function stage(self, step)
  local input = self:arriving(step, 1)
  local stream = { sources = input.sources, stages = copy_stages(input.stages, step), subtasks = input.subtasks }
  local consumers = self.consumers[step.id]
  if #consumers == 1 and absorbs_stages(consumers[1]) and #stream.stages < 50 then return stream end
  return self:materialize(stream)
end
build.map, build.filter = stage, stage

function build.assign_timestamps(self, step)
  local input = self:arriving(step, 1)
  if step.fn then return stream_of(self:call(step, "timestamps", input)) end
  input = self:materialize(input)
  local operator = self:add("assign", step.name, step)
  operator.subtasks = input.subtasks
  self:connect(input, operator)
  self:connect_dead_letters(operator)
  return stream_of(operator)
end

function build.flat_map(self, step)
  return stream_of(self:call(step, "flat_map", self:arriving(step, 1)))
end

function build.key_by(self, step)
  local input = self:arriving(step, 1)
  local operator
  if step.fn then
    operator = self:call(step, "key", input)
  else
    input = self:materialize(input)
    operator = self:add("key", step.name, step)
    operator.subtasks = input.subtasks
    self:connect(input, operator)
    self:connect_dead_letters(operator)
  end
  return { route = new_route("hash", step, stream_of(operator)) }
end

local function route_step(self, step)
  return { route = new_route(step.kind, step, self:materialize(self:arriving(step, 1))) }
end
build.rebalance, build.global, build.broadcast = route_step, route_step, route_step

function build.union(self, step)
  local joined
  for i in ipairs(step.inputs) do
    local stream = self:materialize(self:arriving(step, i))
    joined = joined or { sources = {}, stages = {}, subtasks = stream.subtasks }
    joined.subtasks = math.max(joined.subtasks, stream.subtasks)
    for _, source in ipairs(stream.sources) do joined.sources[#joined.sources + 1] = source end
  end
  return joined
end

function build.process(self, step)
  local input = self:arriving(step, 1)
  local operator = self:call(step, step.kind, input)
  operator.keyed = step.keyed
  local stream = stream_of(operator)
  stream.terminal = operator
  return stream
end

local function two_inputs(self, step)
  local first = self:materialize(self:arriving(step, 1, step.name .. "#exchange1"))
  local second = self:materialize(self:arriving(step, 2, step.name .. "#exchange2"))
  local operator = self:add("call", step.name, step)
  operator.terminal, operator.keyed = step.kind, step.keyed
  operator.subtasks = math.max(first.subtasks, second.subtasks)
  self:connect(first, operator, 0)
  self:connect(second, operator, 1)
  self:connect_dead_letters(operator)
  local stream = stream_of(operator)
  stream.terminal = operator
  return stream
end
build.connect, build.interval_join = two_inputs, two_inputs

-- Windows of aggregates that the engine has never enter Lua.
function build.window(self, step)
  if #step.inputs == 2 then return two_inputs(self, step) end
  if not engine_window.is(step) then return build.process(self, step) end
  local input = self:materialize(self:arriving(step, 1))
  local operator = self:add("aggregate", step.name, step)
  operator.keyed, operator.subtasks = true, input.subtasks
  self:connect(input, operator)
  self:connect_dead_letters(operator)
  local stream = stream_of(operator)
  stream.terminal = operator
  return stream
end

function build.sink(self, step)
  local in_lua = step.connector == "lua"
  local input = step.inputs[1] and self:arriving(step, 1) or { sources = {}, stages = {}, subtasks = self.parallelism } -- dead letters come in whatever worker they arise
  if in_lua then return stream_of(self:call(step, "sink", input)) end
  input = self:materialize(input)
  local operator = self:add("sink", step.name, step)
  operator.subtasks = input.subtasks
  self:connect(input, operator)
  if step.role ~= "dead_letter" then self:connect_dead_letters(operator) end
  return stream_of(operator)
end

local function resolve_dead_letters(self)
  for _, edge in ipairs(self.edges) do
    if edge.dead_letter then edge.to = self.streams[edge.dead_letter].sources[1].operator.index end
  end
end

-- One worker has no exchanges between workers, so nothing to wait for.
local function cut_circles(self)
  if self.parallelism == 1 then return end
  local count = 0
  chains.cut(self.operators, self.edges, function(edge)
    count = count + 1
    local from = self.operators[edge.from]
    local operator = self:add("exchange", ("%s#forward%d"):format(from.name, count), { kind = "forward", inputs = {} })
    operator.exchange, operator.subtasks = "forward", from.subtasks
    return operator.index
  end)
end

--- The operators and edges of a job.
---@param job Job
---@param parallelism integer how many workers there are
---@return { operators: Operator[], edges: table[] }
function M.build(job, parallelism)
  local self = setmetatable({ job = job, parallelism = parallelism, operators = {}, edges = {}, streams = {}, consumers = consumers_of(job.steps) }, Builder)
  for _, step in ipairs(job.steps) do
    self.streams[step.id] = build[step.kind](self, step)
  end
  resolve_dead_letters(self)
  cut_circles(self)
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
