--- What the callbacks of a window step get beside the window: clocks, timers of the
--- window, side outputs. And the window itself, as a table.
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local side_outputs = require "moontide.runtime.side_outputs"
local timer_methods = require "moontide.runtime.timer_methods"
local times = require "moontide.runtime.times"

local M = {}

local clocks = [[
local call, C, check, to_engine, from_engine, place, outputs, unread = ...
local Context = {}
function Context:current_watermark() return (from_engine(call.watermark)) end
function Context:current_processing_time() return (tonumber(C.call_processing_time(call))) end
]]

-- `place[0]` is the pane whose window's timers these are.
local timers = timer_methods("Context", { register = "call_window_register", delete = "call_window_delete" }, "call, place[0]")

local function new(text, call, place, outputs, unread)
  local source = clocks .. text .. "return Context"
  local class = generate(source, "=context of a window", call, C, check, times.to_engine, times.from_engine, place, outputs, unread)
  return lend(call, methods(class, "ctx"))
end

--- Of an evictor: the clocks.
---@param call ffi.cdata* struct call
---@return ClockContext
function M.clock(call)
  return new("", call)
end

--- Of a trigger: clocks and timers.
---@param call ffi.cdata* struct call
---@param place ffi.cdata* int32_t[1]
---@return TriggerContext
function M.trigger(call, place)
  return new(timers, call, place)
end

--- Of a window function: clocks and side outputs.
---@param call ffi.cdata* struct call
---@param outputs table<string, Collector>
---@param unread fun(tag: string, value: any, timestamp: number?)
---@return WindowContext
function M.window(call, outputs, unread)
  return new(side_outputs.method, call, nil, outputs, unread)
end

local view = [[
local windows, from_engine = ...
local max = 0x7fffffffffffffffLL
return function(pane)
  local window = windows[pane]
  local stop = window["end"]
  local last = stop - 1
  if stop == max then last = stop end
  return { start = from_engine(window.start), ["end"] = from_engine(stop), max_timestamp = from_engine(last) }
end
]]

--- The window of a pane as callbacks get it; the global one has neither beginning nor end.
---@param call ffi.cdata* struct call
---@param is_global boolean
---@return fun(pane: integer): Window
function M.window_of(call, is_global)
  if is_global then return function() return {} end end
  return generate(view, "=window", call.windows.windows, times.from_engine)
end

return M
