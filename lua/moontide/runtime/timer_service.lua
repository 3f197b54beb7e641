--- `ctx:timers()`: what time it is, and timers of the current key.
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local timer_methods = require "moontide.runtime.timer_methods"
local times = require "moontide.runtime.times"

local source = [[
local call, C, check, to_engine, from_engine, refuse = ...
local Timers = {}

function Timers:current_watermark() return (from_engine(call.watermark)) end
function Timers:current_processing_time() return (tonumber(C.call_processing_time(call))) end
]] .. timer_methods("Timers", { register = "call_register_timer", delete = "call_delete_timer" }, "call", "if refuse then refuse() end") .. "return Timers"

--- The timers of a step. `refuse` raises why it can have none; nil where it can.
---@param call ffi.cdata* struct call
---@param refuse? fun()
---@return TimerService
return function(call, refuse)
  local class = generate(source, "=timers", call, C, check, times.to_engine, times.from_engine, refuse)
  return lend(call, methods(class, "ctx:timers()"))
end
