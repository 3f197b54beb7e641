--- The loop over a run of timers: each is taken just before its callback, so that
--- one that was deleted meanwhile does not fire, and one that was registered
--- meanwhile for an earlier time ends the run (S2).
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local generate = require "moontide.runtime.generate"
local renewal = require "moontide.runtime.renewal"
local times = require "moontide.runtime.times"

local source = [[
local call, C, check, from_engine, fn, self, ctx, out, guarded = ...
local fire, stale = 1, 3
return function()
  for i = call.index, call.count - 1 do
    call.index = i
    local take = C.call_take_timer(call, i)
    if take == stale then break end
    if take < 0 then check(take) end
    if take == fire then
      if guarded then C.call_mark(call) end
      fn(self, from_engine(call.timer_times[i]), ctx, out)
      if guarded and call.view.undo_count > 0 then C.keyed_state_commit_record(call.state) end
    end
  end
end
]]

--- The function that fires the timers [call.index, call.count) of the run in `call`.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param bound { fn: function, self: table, ctx: table, out: table, guarded: boolean }
---@return function
return function(call, operator, bound)
  return renewal(call, function()
    return generate(source, "=timers of " .. operator.name, call, C, check, times.from_engine, bound.fn, bound.self, bound.ctx, bound.out, bound.guarded)
  end)
end
