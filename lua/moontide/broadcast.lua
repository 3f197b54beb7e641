--- What `stream:broadcast { rules = mt.map_state() }` answers: a stream that every
--- subtask of the step it is connected to gets whole, and the state that is made of it.
local nearest = require "moontide.nearest"
local operator_states = require "moontide.operator_states"
local state_table = require "moontide.state_table"
local where = require "moontide.where"

---@class BroadcastStream
---@field job Job
---@field stream Stream of the records, in every subtask
---@field declared { names: string[], states: table<string, StateDescriptor> }
local BroadcastStream = { __name = "broadcast stream" }

function BroadcastStream.__index(_, name)
  if type(name) ~= "string" then return nil end
  where.raise("a broadcast stream has no method '%s'%s: connect a stream to it, as in keyed:connect(rules)", name, nearest.hint(name, {}))
end

local M = {}

local reserved = { open = true, close = true, on_timer = true, process_element = true, process_broadcast_element = true }

--- Is `value` a broadcast stream?
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == BroadcastStream
end

--- Check the states of a broadcast stream; raises at the author's line.
---@param what string ":broadcast"
---@param states any
---@return { names: string[], states: table<string, StateDescriptor> }
function M.declare(what, states)
  local names = state_table.check(what, states, reserved)
  return { names = names, states = operator_states.broadcast(what, states, names) }
end

--- A broadcast stream.
---@param stream Stream behind the exchange
---@param declared { names: string[], states: table<string, StateDescriptor> }
---@return BroadcastStream
function M.new(stream, declared)
  return setmetatable({ job = stream.job, stream = stream, declared = declared }, BroadcastStream)
end

return M
