--- Time stamps that the author's function answers: the loop writes them beside the
--- records, which go on as they are.
local C = require "moontide.engine"
local generate = require "moontide.runtime.generate"
local renewal = require "moontide.runtime.renewal"
local times = require "moontide.runtime.times"
local used_fields = require "moontide.runtime.used_fields"
local values = require "moontide.runtime.values"

local source = [[
local call, C, decode, to_engine, fn, guarded = ...
return function()
  for i = call.index, call.count - 1 do
    call.index = i
    if guarded then C.call_mark(call) end
    local time, watermark = fn(decode(call.values[i], call.bytes))
    call.times[i] = to_engine(time)
    if watermark ~= nil then call.watermarks[i] = to_engine(watermark) end
  end
end
]]

--- What the worker calls for a step of `assign_timestamps` with a function.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param guarded boolean a record that fails is skipped, and may leave a dead letter
---@return table<integer, function> by enum call_request
return function(call, operator, guarded)
  local fn, loop = operator.step.fn, nil
  call.pass_input = true
  return {
    [1] = function() loop() end,
    [3] = function()
      local decode = values.decoder(used_fields.of_operator(operator, fn))
      loop = renewal(call, function() return generate(source, "=times of " .. operator.name, call, C, decode, times.to_engine, fn, guarded) end)
    end,
    [4] = function() end,
  }
end
