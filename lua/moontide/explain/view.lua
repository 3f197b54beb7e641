--- A job as plain tables without functions: what all three formats show.
local connectors = require "moontide.connectors"
local time = require "moontide.explain.time"
local units = require "moontide.units"
local where = require "moontide.where"
local window = require "moontide.window"

---@class StepView
---@field id integer
---@field name string
---@field kind string
---@field operator? string
---@field connector? string
---@field options { name: string, value: any, text: string }[] of a source or sink, by name
---@field inputs { step: integer, name: string, tag: string?, exchange: string }[]
---@field window? { windows: string, trigger: string, evictor: string?, lateness: number, late: string? }
---@field time? { from: string[], without: string[], warning: string? } of a step that waits for event time: see explain/time.lua
---@field timestamps? { field: string?, unit: string?, format: string?, max_out_of_orderness: number } and what else an assign_timestamps step was told
---@field key? { fields: string[]?, single: boolean?, fn: string? }
---@field interval? { lower: number, upper: number, late_left: string?, late_right: string? } of an interval join, in milliseconds
---@field states { name: string, kind: string, default: any, version: integer }[]
---@field fn? string where the function was written
---@field parallelism? integer
---@field on_error? "fail"|"skip"|{ dead_letter: string }
---@field guarantee? string
---@field role? string
---@field keyed boolean
---@field where string

-- How records travel to the step behind one of these; to any other they are handed over in place.
local exchanges = { key_by = "by key", rebalance = "rebalance", global = "global", broadcast = "broadcast" }

local function sorted_names(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function value_text(value)
  if type(value) == "number" and value % 1 == 0 then return ("%.0f"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for _, item in ipairs(value) do parts[#parts + 1] = tostring(item) end
  for _, name in ipairs(#value == 0 and sorted_names(value) or {}) do parts[#parts + 1] = name .. ":" .. tostring(value[name]) end
  return table.concat(parts, ",")
end

local function option_text(step, name, value)
  local unit = step.has_format ~= nil and connectors.unit(step, name)
  if unit == "size" and value == -1 then return "false" end
  if unit == "size" then return units.size_text(value) end
  if unit == "duration" then return units.duration_text(value) end
  return value_text(value)
end

local function options_of(step)
  local list = {}
  for _, name in ipairs(sorted_names(step.connector_options or {})) do
    local value = step.connector_options[name]
    list[#list + 1] = { name = name, value = value, text = option_text(step, name, value) }
  end
  local values = step.definition and step.definition.values
  if values then list[#list + 1] = { name = "values", value = #values, text = tostring(#values) } end
  return list
end

local function inputs_of(job, step)
  local list = {}
  for i, input in ipairs(step.inputs) do
    local from = job.steps[input.step]
    list[i] = { step = from.id, name = from.name, tag = input.tag, exchange = exchanges[from.kind] or "forward" }
  end
  return list
end

local function add_states(list, names, states)
  for _, name in ipairs(names or {}) do
    local state = states[name]
    list[#list + 1] = { name = name, kind = state.kind, default = state.default, version = state.version }
  end
end

local function states_of(step)
  local list, definition = {}, step.definition or {}
  add_states(list, step.state_names, definition.state)
  add_states(list, step.operator_state_names, definition.operator_state)
  return list
end

local function on_error_of(job, policy)
  if type(policy) ~= "table" then return policy end
  return { dead_letter = job.steps[policy.dead_letter].name }
end

local function key_of(step)
  if step.kind ~= "key_by" then return nil end
  return { fields = step.fields, single = step.single, fn = step.fn and where.definition(step.fn) }
end

local function window_of(step)
  if step.kind ~= "window" then return nil end
  return {
    windows = window.text(step.window), trigger = step.trigger and step.trigger.shown or "none",
    evictor = step.evictor and step.evictor.shown, lateness = step.lateness, late = step.late,
  }
end

local function step_view(job, step)
  return {
    id = step.id, name = step.name, named = step.named, kind = step.kind, operator = step.operator, role = step.role, keyed = step.keyed,
    connector = step.connector, options = options_of(step), guarantee = step.guarantee, replayable = step.replayable,
    inputs = inputs_of(job, step), key = key_of(step), window = window_of(step), interval = step.interval,
    time = time.of(job, step), timestamps = time.timestamps_of(step), states = states_of(step),
    fn = step.kind ~= "key_by" and step.fn and where.definition(step.fn) or nil,
    parallelism = step.parallelism, on_error = on_error_of(job, step.on_error), where = where.text(step.where),
  }
end

--- Everything that a plan shows.
---@param job Job
---@return { name: string, where: string, options: table, steps: StepView[] }
local function view(job)
  local options = {}
  for name, value in pairs(job.options) do options[name] = value end
  options.on_error = on_error_of(job, options.on_error)
  local steps = {}
  for i, step in ipairs(job.steps) do steps[i] = step_view(job, step) end
  return { name = job.name, where = where.text(job.where), options = options, steps = steps }
end

return view
