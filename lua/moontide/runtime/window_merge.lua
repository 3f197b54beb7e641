--- The states of windows that become one: those of panes 1 to `count` go into pane 0.
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"

local M = {}

-- A value state, and what makes one of two values.
local function merge_values(panes, state, merge, count)
  for pane = 1, count do
    panes.index = pane
    local other = state:value()
    if other ~= nil then
      panes.index = 0
      local kept = state:value()
      if kept ~= nil then other = merge(kept, other) end
      state:update(other)
    end
  end
end

local function merge_lists(panes, slot, count)
  for pane = 1, count do
    check(C.list_state_add_from(panes.state, panes.entries[0], slot, panes.entries[pane]))
  end
end

--- What merges one state of a pane.
---@param panes ffi.cdata* struct call
---@param slot integer of the state
---@param kind string of the state's descriptor
---@param state table bound to `panes`
---@param merge? fun(a: any, b: any): any of a value that is a window's contents
---@return fun(count: integer)
function M.of_state(panes, slot, kind, state, merge)
  if kind == "list" then return function(count) merge_lists(panes, slot, count) end end
  if kind == "value" then return function(count) merge_values(panes, state, merge, count) end end
  return function(count) merge_values(panes, state.kept, state.merge, count) end
end

return M
