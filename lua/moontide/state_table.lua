--- The table of states that a definition declares: `state = { seen = mt.map_state() }`.
local describe = require "moontide.describe"
local state = require "moontide.state"
local steps = require "moontide.steps"
local where = require "moontide.where"

local M = {}

local function check_table(value)
  if type(value) == "table" and getmetatable(value) == nil then return value end
  return nil, "a table of names and states, such as { seen = mt.value_state() }"
end

--- The option as other lists of options have it.
---@param name string
---@return OptionSpec
function M.spec(name)
  return { name = name, type = "custom", default = {}, check = check_table }
end

--- Check a table of states; raises at the author's line.
---@param what string
---@param states table<string, StateDescriptor>
---@param reserved table<string, boolean> names of callbacks: `self.open` could not be both
---@param any_owner? boolean state of a subtask is taken too: see operator_states
---@return string[] names sorted: the order of pairs() differs between workers, the order of states must not
function M.check(what, states, reserved, any_owner)
  local names = {}
  for name, value in pairs(states) do
    steps.check_state_name(what, name)
    if reserved[name] then where.raise("%s: a state cannot be named '%s': callbacks are", what, name) end
    if not state.is(value) then
      local hint = type(value) == "function" and " (call it: mt.value_state())" or ""
      where.raise("%s: state '%s' must be mt.value_state, mt.list_state or mt.map_state, got %s%s", what, name, describe(value), hint)
    end
    if not any_owner and (value.kind == "operator_list" or value.kind == "union_list") then
      where.raise("%s: state '%s' must belong to a key: a list of the subtask cannot be used here", what, name)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- A copy, so that what its author does to the table later changes nothing.
---@param states table<string, StateDescriptor>
---@return table<string, StateDescriptor>
function M.copy(states)
  local copy = {}
  for name, descriptor in pairs(states) do copy[name] = descriptor end
  return copy
end

return M
