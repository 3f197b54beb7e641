--- What the callbacks of a definition find in `self` and in the ctx of `open`.
local C = require "moontide.engine"
local folding_state = require "moontide.runtime.folding_state"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local no_key = require "moontide.runtime.no_key"

local M = {}

local binders = {
  value = require "moontide.runtime.value_state",
  list = require "moontide.runtime.list_state",
  map = require "moontide.runtime.map_state",
  reducing = folding_state.reducing,
  aggregating = folding_state.aggregating,
}

-- The same names on `self` in open and close, where there is no key.
local unbound = setmetatable({}, { __index = function() return function() no_key() end end })

--- Put states under their names; nil puts what raises instead.
---@param self table
---@param names string[]
---@param states? table<string, table>
function M.set_states(self, names, states)
  for _, name in ipairs(names) do self[name] = states and states[name] or unbound end
end

--- Bind the states of a definition to a call cell: those of the entry at `call.index`.
---@param call ffi.cdata* struct call
---@param names string[] in the order of their slots
---@param descriptors table<string, StateDescriptor>
---@param guarded boolean writes must be such that they can be taken back
---@param fields? table<string, table<string, true>> what is known of the values by name: see made_fields
---@return table<string, table>
function M.bind_states(call, names, descriptors, guarded, fields)
  local states = {}
  for slot, name in ipairs(names) do
    local descriptor = descriptors[name]
    states[name] = binders[descriptor.kind](call, slot - 1, descriptor, { plain_writes = not guarded, fields = fields and fields[name] })
  end
  return states
end

--- open(self, ctx): a context that knows the subtask and no record.
---@param call ffi.cdata* struct call
---@return OpenContext
function M.open_context(call)
  return lend(call, methods({
    subtask = function() return call.subtask end,
    parallelism = function() return call.parallelism end,
    request_checkpoint = function() C.call_request_checkpoint(call) end,
  }, "ctx of open"))
end

--- Why a step has no timers: a function that raises it; nil if it has.
---@param step Step
---@return fun()?
function M.timers_refused(step)
  if step.definition.on_timer then return nil end
  return function()
    error(step.keyed and "the step has no 'on_timer' to call when a timer fires" or "timers belong to a key: this stream has none, call :key_by before :process", 3)
  end
end

return M
