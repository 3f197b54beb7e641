--- Which of the states that a definition declares belong to a key, and which to the
--- subtask: operator state.
local where = require "moontide.where"

local M = {}

local constructors = { operator_list = "mt.operator_list_state", union_list = "mt.union_list_state" }

local function refuse_keyed(what, name)
  where.raise("%s: state '%s' belongs to a key and this stream has none: call :key_by first", what, name)
end

local function refuse_operator(what, name, kind)
  where.raise("%s: state '%s': %s belongs to a subtask, and a keyed stream's state to a key: use mt.list_state", what, name, constructors[kind])
end

--- Part the states by whom they belong to; raises at the author's line where the stream does not fit.
---@param what string
---@param keyed boolean is the stream?
---@param states table<string, StateDescriptor>
---@param names string[] sorted
---@return string[] names of keyed state
---@return table<string, StateDescriptor> keyed state
---@return string[] names of operator state
---@return table<string, StateDescriptor> operator state
function M.split(what, keyed, states, names)
  local keyed_names, keyed_states, own_names, own_states = {}, {}, {}, {}
  for _, name in ipairs(names) do
    local descriptor = states[name]
    if constructors[descriptor.kind] then
      if keyed then refuse_operator(what, name, descriptor.kind) end
      own_names[#own_names + 1], own_states[name] = name, descriptor
    else
      if not keyed then refuse_keyed(what, name) end
      keyed_names[#keyed_names + 1], keyed_states[name] = name, descriptor
    end
  end
  return keyed_names, keyed_states, own_names, own_states
end

--- The states of a broadcast stream: maps, one for a subtask.
---@param what string
---@param states table<string, StateDescriptor>
---@param names string[]
---@return table<string, StateDescriptor>
function M.broadcast(what, states, names)
  local own = {}
  if #names == 0 then where.raise("%s: needs at least one state, as in :broadcast { rules = mt.map_state() }", what) end
  for _, name in ipairs(names) do
    local descriptor = states[name]
    if descriptor.kind ~= "map" then where.raise("%s: broadcast state '%s' must be mt.map_state, not a %s state", what, name, descriptor.kind) end
    own[name] = { kind = "broadcast", version = descriptor.version, migrate = descriptor.migrate }
  end
  return own
end

return M
