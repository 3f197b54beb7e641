--- Definitions of process steps, checked and in one form.
local describe = require "moontide.describe"
local on_error = require "moontide.on_error"
local operator_states = require "moontide.operator_states"
local options = require "moontide.options"
local state_table = require "moontide.state_table"
local steps = require "moontide.steps"
local where = require "moontide.where"

local M = {}

---@class ProcessDefinition
---@field state? States by the name that `self` has it under
---@field parallelism? integer of its subtasks, at most as many as the job has workers; default: it runs where its records are, keyed in all
---@field on_error? OnError
---@field open? fun(self: Process, ctx: OpenContext) once, before the first record; there is no key yet
---@field close? fun(self: Process)
---@field process_element fun(self: Process, value: any, ctx: Context, out: Collector)
---@field on_timer? fun(self: Process, timestamp: number, ctx: TimerContext, out: Collector)

local parallelism_max = 32768

--- The option as other tables of options list it.
M.parallelism_spec = { name = "parallelism", type = "integer", min = 1, max = parallelism_max }

local definition_specs = {
  state_table.spec "state",
  M.parallelism_spec,
  on_error.spec,
  { name = "open", type = "function" },
  { name = "close", type = "function" },
  { name = "process_element", type = "function", required = true },
  { name = "on_timer", type = "function" },
}

-- `self.open` could not be both the callback's name and a state.
local reserved = { open = true, close = true, process_element = true, on_timer = true }

local function check_timers(what, stream, checked)
  if checked.on_timer and not stream.keyed then
    where.raise("%s: 'on_timer': timers belong to a key and this stream has none: call :key_by first", what)
  end
end

-- The short form is a function of (value, ctx, out), without self: it has no state to find there.
local function normalise(what, definition)
  if type(definition) == "function" then
    return { process_element = function(_, value, ctx, out) return definition(value, ctx, out) end }
  end
  if type(definition) ~= "table" then
    where.raise("%s: needs a definition { process_element = function(self, value, ctx, out) end } or a function(value, ctx, out), got %s",
      what, describe(definition))
  end
  return definition
end

--- The name of a step that must have one; raises at the author's line.
---@param method string ":process"
---@param name any
---@return string
function M.check_name(method, name)
  if type(name) == "string" then return steps.check_name(method, name) end
  where.raise('%s: needs a name first, the address of its state: %s("name", ...), got %s', method, method, describe(name))
end

--- Check the name and definition of a process step on `stream`, and answer the step's fields.
---@param method string ":process"
---@param stream Stream
---@param name any
---@param definition any a ProcessDefinition or a function(value, ctx, out)
---@return table
function M.step(method, stream, name, definition)
  M.check_name(method, name)
  local what = ('%s("%s")'):format(method, name)
  local checked = options.check(what, normalise(what, definition), definition_specs)
  local names = state_table.check(what, checked.state, reserved, true)
  local step = { kind = "process", name = name, definition = checked, plain = type(definition) == "function" and definition or nil }
  step.state_names, checked.state, step.operator_state_names, checked.operator_state = operator_states.split(what, stream.keyed, checked.state, names)
  check_timers(what, stream, checked)
  -- These two are the step's, whatever its kind.
  step.parallelism, step.on_error = checked.parallelism, checked.on_error
  checked.parallelism, checked.on_error = nil, nil
  return step
end

return M
