--- The loop over a run of timers of a window step: ask the trigger, fire, and at the
--- cleanup time forget the window (S24: fire first).
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local generate = require "moontide.runtime.generate"
local renewal = require "moontide.runtime.renewal"
local times = require "moontide.runtime.times"
local window_loops = require "moontide.runtime.window_loops"

local head = [[
local call, C, check, from_engine, b, guarded = ...
local windows = call.windows
local panes = windows.panes
local fire, act, forget, trigger, trigger_ctx = b.fire, b.act, b.forget, b.trigger, b.trigger_ctx
local window_of, place, on_event_time, on_processing_time = b.window_of, b.place, b.on_event_time, b.on_processing_time
local live, stale = 1, 3
return function()
]]

-- A window whose last timer failed is forgotten all the same: no timer comes after it.
local forget_failed = [[
  if b.failed then
    local i = b.failed
    b.failed, call.index = nil, i
    local has = C.call_window_of_timer(call, i)
    if has < 0 then check(has) end
    if has == 1 then
      panes.index = 0
      C.call_mark(call)
      if C.call_window_is_cleanup(call, 0, call.domain, call.timer_times[i]) then forget() end
      if call.view.undo_count > 0 then C.keyed_state_commit_record(call.state) end
    end
    call.index = i + 1
  end
]]

local each_timer = [[
  for i = call.index, call.count - 1 do
    call.index = i
    local take = C.call_take_timer(call, i)
    if take == stale then break end
    if take < 0 then check(take) end
    local has = take == live and C.call_window_of_timer(call, i) or 0
    if has < 0 then check(has) end
    if has == 1 then
      local time = call.timer_times[i]
      panes.index = 0
]]

local own = {
  event = "      if call.domain == 0 and time == C.call_window_max_timestamp(call, 0) then fire(0) end\n",
  processing = "      if call.domain == 1 then fire(0) end\n",
}

local asked = [[
      place[0] = 0
      if call.domain == DOMAIN then
        local answer = CALLBACK(trigger, from_engine(time), window_of(0), trigger_ctx)
        if answer ~= "continue" then act(answer, 0, "CALLBACK") end
      end
]]

local commit = "      if call.view.undo_count > 0 then C.keyed_state_commit_record(call.state) end\n"
local tail = [[
      if C.call_window_is_cleanup(call, 0, call.domain, time) then
        forget()
      elseif windows.is_unkept then
        check(C.call_window_keep(call, 0))
      end
]]

local function asked_source(step)
  local trigger, parts = step.trigger or {}, {}
  for domain, callback in ipairs { "on_event_time", "on_processing_time" } do
    if trigger[callback] then parts[#parts + 1] = asked:gsub("DOMAIN", domain - 1):gsub("CALLBACK", callback) end
  end
  return table.concat(parts)
end

local function source_of(step, guarded)
  local behind, body = "", window_loops.is_direct(step) and own[step.window.time] or asked_source(step)
  if guarded then body, behind = "      b.failed = i\n      C.call_mark(call)\n" .. body, commit .. "      b.failed = nil\n" end
  return head .. (guarded and forget_failed or "") .. each_timer .. body .. tail .. behind .. "    end\n  end\nend"
end

--- The function that fires the timers [call.index, call.count) of the run in `call`.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param bound table what the handler has bound
---@return function
return function(call, operator, bound)
  local text = source_of(operator.step, bound.guarded)
  return renewal(call, function()
    return generate(text, "=timers of " .. operator.name, call, C, check, times.from_engine, bound, bound.guarded)
  end)
end
