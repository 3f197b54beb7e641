--- The steps that a test builds, as a job between inputs and outputs by hand.
local describe = require "moontide.describe"
local descriptor = require "moontide.descriptor"
local engine_window = require "moontide.runtime.engine_window"
local job = require "moontide.job"
local physical = require "moontide.runtime.physical"
local where = require "moontide.where"

local connector = "by_hand"

local function new_inputs(tested, count)
  local streams = {}
  for i = 1, count do
    streams[i] = tested:from(descriptor.new("source", connector, { replayable = true }), { name = "input" .. i })
  end
  return streams
end

local function add_output(graph, name)
  local operator = { kind = "output", name = name, step = { name = name }, stages = {}, ports = {}, dead_ports = {}, port_count = 1 }
  graph.operators[#graph.operators + 1] = operator
  return operator, #graph.operators
end

local has_sides = { process = true, window = true, connect = true, interval_join = true }

-- What steps send to tags: those that the steps under test read themselves are copied, all others come with their tag.
local function add_sides(graph)
  local rest_index
  local sides = {}
  for index, operator in ipairs(graph.operators) do
    if operator.kind == "aggregate" then engine_window.late_port(operator) end
    for tag, port in pairs(operator.ports) do
      sides[#sides + 1] = { tag = tag, from = index, port = port }
    end
    if has_sides[operator.terminal] then
      if not rest_index then rest_index = select(2, add_output(graph, "side outputs")) end
      operator.rest_port = operator.port_count
      operator.port_count = operator.port_count + 1
      graph.edges[#graph.edges + 1] = { from = index, port = operator.rest_port, to = rest_index }
    end
  end
  table.sort(sides, function(a, b) return a.from < b.from or (a.from == b.from and a.port < b.port) end)
  for _, side in ipairs(sides) do
    local _, index = add_output(graph, ("side output %d of %s"):format(side.port, graph.operators[side.from].name))
    side.step = index - 1
    graph.edges[#graph.edges + 1] = { from = side.from, port = side.port, to = index }
  end
  return { rest = rest_index and rest_index - 1, read = sides }
end

-- The ends that physical.build() took for connectors.
local function replace_ends(graph)
  local inputs, output = {}, nil
  for index, operator in ipairs(graph.operators) do
    if operator.step.connector == connector then
      operator.kind = operator.kind == "source" and "input" or "output"
      if operator.kind == "input" then inputs[#inputs + 1] = index - 1 else output = index - 1 end
    end
  end
  return inputs, output
end

--- Call the test's function and turn what it described into operators.
---@param build fun(...: Stream): Stream
---@param options table checked
---@return { job: Job, graph: table, inputs: integer[], output: integer, sides: table } inputs and outputs are numbers of engine steps
return function(build, options)
  local tested = job.new("harness", { on_error = options.on_error })
  local stream = build(unpack(new_inputs(tested, options.inputs)))
  if type(stream) ~= "table" or type(stream.to) ~= "function" or stream.job ~= tested then
    where.raise("testing.harness: the function must answer the stream whose records are the output, got %s", describe(stream))
  end
  stream:to(descriptor.new("sink", connector, {}), { name = "output" })
  local graph = physical.build(tested, 1)
  local inputs, output = replace_ends(graph)
  return { job = tested, graph = graph, inputs = inputs, output = output, sides = add_sides(graph) }
end
