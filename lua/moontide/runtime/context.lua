--- `ctx` of the callbacks: the record at hand, and the subtask.
local ffi = require "ffi"
local C = require "moontide.engine"
local collector = require "moontide.runtime.collector"
local nearest = require "moontide.nearest"
local times = require "moontide.runtime.times"
local unpack_key = require("moontide.runtime.msgpack").unpack

local source = [[
local call, outputs, ffi, C, from_engine, unpack_key, unknown_tag = ...
local ffi_string, none = ffi.string, -0x7fffffffffffffffLL - 1
local Context = {}

function Context:timestamp()
  local time = call.times[call.index]
  if time == none then return nil end
  return from_engine(time)
end

function Context:current_key()
  if call.keys == nil then return nil end
  local key = call.keys[call.index]
  local at = call.bytes + key.offset
  local head = at[0]
  if head >= 0 then return head end
  if head >= -96 and head < -64 then return ffi_string(at + 1, head + 96) end
  return (unpack_key(at))
end

function Context:output(tag, value, timestamp)
  local output = outputs[tag]
  if output then return output:collect(value, timestamp) end
  if output == nil then unknown_tag(tag) end
end

function Context:subtask() return call.subtask end
function Context:parallelism() return call.parallelism end
function Context:request_checkpoint() C.call_request_checkpoint(call) end

return Context
]]

local function unknown_tag(tag)
  if type(tag) ~= "string" or tag == "" then error("ctx:output needs a tag (a text), got " .. tostring(tag), 3) end
end

--- `ports`: the number of the output of each tag that somebody reads; other tags are dropped.
return function(call, ports)
  local outputs = {}
  for tag, port in pairs(ports) do outputs[tag] = collector(call, port) end
  local class = assert(loadstring(source, "=context"))(call, outputs, ffi, C, times.from_engine, unpack_key, unknown_tag)
  local methods = {}
  for name in pairs(class) do methods[#methods + 1] = name end
  class.__index = class
  -- Reached only by a misspelt name: a method is found before.
  setmetatable(class, { __index = function(_, name)
    error(("ctx has no '%s'%s"):format(tostring(name), nearest.hint(name, methods)), 2)
  end })
  return setmetatable({}, class)
end
