--- `ctx` of an interval join: the times of the two records that met, their key, and side outputs.
local context = require "moontide.runtime.context"
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local side_outputs = require "moontide.runtime.side_outputs"
local times = require "moontide.runtime.times"

local source = [[
local call, met, outputs, unread, from_engine, of_record = ...
local Context = {}

function Context:timestamp() return from_engine(call.out_time) end
function Context:left_timestamp() return from_engine(met.left) end
function Context:right_timestamp() return from_engine(met.right) end
function Context:current_key() return of_record:current_key() end
]] .. side_outputs.method .. "return Context"

---@param call ffi.cdata* struct call
---@param ports table<string, integer> number of the output of each tag that somebody reads
---@param rest_port? integer of all other tags
---@param met ffi.cdata* the times of the records that met, `left` and `right`
---@return IntervalJoinContext
return function(call, ports, rest_port, met)
  local outputs, unread = side_outputs.new(call, ports, rest_port, "out_time")
  local class = generate(source, "=context", call, met, outputs, unread, times.from_engine, context(call, {}))
  return lend(call, methods(class, "ctx"))
end
