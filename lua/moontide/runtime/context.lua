--- `ctx` of the callbacks: the record at hand, and the subtask.
local ffi = require "ffi"
local C = require "moontide.engine"
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local side_outputs = require "moontide.runtime.side_outputs"
local times = require "moontide.runtime.times"
local unpack_key = require("moontide.runtime.msgpack").unpack

local source = [[
local call, outputs, ffi, C, from_engine, unpack_key, unread, timers = ...
local ffi_string, none = ffi.string, -0x7fffffffffffffffLL - 1
local Context = {}

function Context:timestamp()
  local time = call.TIMES[call.index]
  if time == none then return nil end
  return (from_engine(time))
end

function Context:current_key()
  if call.keys == nil then return nil end
  local key = call.keys[call.index]
  local at = call.bytes + key.offset
  local head = at[0]
  if head >= 0 then return head end
  if head >= -96 and head < -64 then return (ffi_string(at + 1, head + 96)) end
  return (unpack_key(at))
end

function Context:subtask() return call.subtask end
function Context:parallelism() return call.parallelism end
function Context:request_checkpoint() C.call_request_checkpoint(call) end
function Context:timers() return timers end
]]

-- Of on_timer: the time is the timer's, whatever its output has.
local timer_source = [[
function Context:time_domain() return call.domain == 0 and "event" or "processing" end
]]

--- `ports`: the number of the output of each tag that somebody reads; `rest_port`: of all other tags, nil drops them.
--- `timers`: what ctx:timers() answers; `of_timer`: the context of on_timer.
return function(call, ports, rest_port, timers, of_timer)
  local outputs, unread = side_outputs.new(call, ports, rest_port)
  local text = source:gsub("TIMES", of_timer and "timer_times" or "times") .. side_outputs.method .. (of_timer and timer_source or "") .. "return Context"
  local class = generate(text, "=context", call, outputs, ffi, C, times.from_engine, unpack_key, unread, timers)
  return lend(call, methods(class, "ctx"))
end
