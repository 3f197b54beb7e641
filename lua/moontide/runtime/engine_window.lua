--- Window steps that the engine runs by itself: aggregates that it has, over sessions and
--- over windows whose records go into common slices (engine/time/slices.h).
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"

local M = {}

---@class EngineAggregate
---@field operator "count"|"sum"|"min"|"max"|"avg"
---@field field? string of the record; count has none
---@field name string of the result's field

local kinds = { count = 1, sum = 2, min = 3, max = 4, avg = 5 }
local slices_max = 4096 -- of a window
local aggregates_max = 8

local function divisor(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

--- Does the engine run this step?
---@param step Step
---@return boolean
function M.is(step)
  local window, trigger = step.window, step.trigger
  if window.kind == "global" or window.stagger ~= "aligned" or window.gap then return false end
  if not trigger or not trigger.default or step.evictor or step.definition.process then return false end
  if not step.contents.engine or #step.contents.engine > aggregates_max then return false end
  return window.size / divisor(window.size, window.slide) <= slices_max
end

--- The output of late records, whether or not somebody reads it; nil without a tag.
---@param operator Operator
---@return integer?
function M.late_port(operator)
  local tag = operator.step.late
  if tag and not operator.ports[tag] then
    operator.ports[tag], operator.port_count = operator.port_count, operator.port_count + 1
  end
  return tag and operator.ports[tag]
end

--- Tell the plan what the step aggregates, and where what is late goes.
---@param plan ffi.cdata* struct plan
---@param index integer of the step
---@param operator Operator
function M.set(plan, index, operator)
  local step = operator.step
  for _, aggregate in ipairs(step.contents.engine) do
    check(C.plan_add_aggregate(plan, index, kinds[aggregate.operator], aggregate.field or "", aggregate.name))
  end
  local port = step.late and operator.ports[step.late]
  if port then check(C.plan_set_late_port(plan, index, port)) end
end

return M
