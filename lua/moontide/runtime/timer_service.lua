--- `ctx:timers()`: what time it is, and timers of the current key.
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local nearest = require "moontide.nearest"
local times = require "moontide.runtime.times"

local source = [[
local call, C, check, to_engine, from_engine, refuse = ...
local Timers = {}

function Timers:current_watermark() return from_engine(call.watermark) end
function Timers:current_processing_time() return tonumber(C.call_processing_time(call)) end

function Timers:register_event_time_timer(timestamp)
  if refuse then refuse() end
  local status = C.call_register_timer(call, 0, to_engine(timestamp))
  if status < 0 then check(status) end
end

function Timers:register_processing_time_timer(timestamp)
  if refuse then refuse() end
  local status = C.call_register_timer(call, 1, to_engine(timestamp))
  if status < 0 then check(status) end
end

function Timers:delete_event_time_timer(timestamp)
  if refuse then refuse() end
  local status = C.call_delete_timer(call, 0, to_engine(timestamp))
  if status < 0 then check(status) end
end

function Timers:delete_processing_time_timer(timestamp)
  if refuse then refuse() end
  local status = C.call_delete_timer(call, 1, to_engine(timestamp))
  if status < 0 then check(status) end
end

return Timers
]]

--- The timers of a step. `refuse` raises why it can have none; nil where it can.
---@param call ffi.cdata* struct call
---@param refuse? fun()
---@return TimerService
return function(call, refuse)
  local class = assert(loadstring(source, "=timers"))(call, C, check, times.to_engine, times.from_engine, refuse)
  local methods = {}
  for name in pairs(class) do methods[#methods + 1] = name end
  class.__index = class
  setmetatable(class, { __index = function(_, name)
    error(("ctx:timers() has no '%s'%s"):format(tostring(name), nearest.hint(name, methods)), 2)
  end })
  return setmetatable({}, class)
end
