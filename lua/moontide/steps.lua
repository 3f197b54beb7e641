--- The steps of a job, and their names: the address of everything that a
--- checkpoint remembers.
local describe = require "moontide.describe"
local where = require "moontide.where"

local M = {}

---@class StepInput
---@field step integer the step it comes from
---@field tag? string of that step's side output; nil: its main one

---@class Step one step of the logical plan
---@field id integer from 1, in order of creation
---@field kind "source"|"map"|"filter"|"flat_map"|"key_by"|"rebalance"|"global"|"broadcast"|"union"|"process"|"window"|"connect"|"interval_join"|"sink"
---@field name string given, or derived from its kind and place among those
---@field named boolean was it given?
---@field where Where? the author's call
---@field inputs StepInput[]
---@field keyed boolean is its input keyed?
---@field fn? function of map, filter, flat_map, and of a key_by whose key is computed
---@field fields? string[] of a key_by on fields
---@field single? boolean the key is the one field's value, not a list
---@field connector? string of a source or sink
---@field connector_options? table
---@field guarantee? "exactly_once"|"at_least_once" of a sink
---@field replayable? boolean of a source
---@field role? "dead_letter" of a sink that takes what other steps failed on
---@field definition? table of a process step, or of a source or sink that is written in Lua
---@field state_names? string[] of a process or window step, sorted
---@field window? WindowAssigner of a window step, as are its siblings in window_step.lua
---@field callbacks? table<function, string> functions of the author that reports may have to name
---@field input_callbacks? string[] of a step of two inputs: what is called for the records of each
---@field operator_state_names? string[] of state that belongs to a subtask and to no key
---@field operator? string the method that built a process step: "count"
---@field parallelism? integer
---@field on_error? "fail"|"skip"|{ dead_letter: integer }

local name_bytes_max = 255

--- A name of a step as the author gave it; raises at the author's line if it cannot be one.
---@param what string
---@param name any
---@return string
function M.check_name(what, name)
  if type(name) ~= "string" or name == "" or #name > name_bytes_max or name:find("%c") then
    where.raise("%s: a step's name must be a text of 1 to %d bytes without control characters, got %s", what, name_bytes_max, describe(name))
  end
  return name
end

--- A name of a state: it is a field of `self` and an address in snapshots.
---@param what string
---@param name any
---@return string
function M.check_state_name(what, name)
  if type(name) ~= "string" or #name > name_bytes_max or not name:find("^[%a_][%w_]*$") then
    where.raise("%s: a state's name must be letters, digits and '_', not beginning with a digit, got %s", what, describe(name))
  end
  return name
end

-- Counted among its like that have none either, so that other steps may come and go before a source or a sink without a name of its own.
local function derived_name(job, step)
  local kind, number = step.role or step.kind, 1
  for _, other in ipairs(job.steps) do
    if not other.named and (other.role or other.kind) == kind then number = number + 1 end
  end
  local name = ("%s-%d"):format(kind, number)
  while job._step_names[name] do name = name .. "'" end
  return name
end

--- Raise at the author's line if a step cannot have this name. Asked before anything is added for the step, so that
--- a call that fails leaves the job as it was.
---@param job Job
---@param what string
---@param name any nil: one will be derived
function M.check_free(job, what, name)
  if name == nil then return end
  local other = job._step_names[M.check_name(what, name)]
  if other then
    where.raise("%s: the name %s is taken by the step at %s; names are unique in a job", what, describe(name), where.text(other.where))
  end
end

--- Append a step to the job: gives it its id, name and place.
---@param job Job
---@param what string who asks, as an error begins: ":map"
---@param step table the fields of its kind
---@param inputs StepInput[]
---@return Step
function M.add(job, what, step, inputs)
  M.check_free(job, what, step.name)
  step.where = where.caller()
  step.inputs = inputs
  step.named = step.name ~= nil
  step.keyed = step.keyed or false
  step.name = step.name or derived_name(job, step)
  job._step_names[step.name] = step
  job.steps[#job.steps + 1] = step
  step.id = #job.steps
  return step
end

return M
