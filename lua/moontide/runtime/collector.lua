--- What a callback emits: `out:collect(value)` writes a cell into the step's
--- output batch. Made anew for each output, for the sake of its traces.
local C = require "moontide.engine"
local encoding = require "moontide.runtime.encode"
local generate = require "moontide.runtime.generate"
local lend = require("moontide.runtime.lent").lend
local methods = require "moontide.runtime.methods"
local times = require "moontide.runtime.times"

local source = [[
local call, port, C, encode, place, time_of = ...
local Collector = {}

function Collector:collect(value, timestamp)
  local out = call.out[port]
  local count = out.count
  if count == 1024 or out.arena.used >= 65536 then
    C.call_roll(call, port)
    out = call.out[port]
    count = out.count
    if count == 1024 then error("out: the callback that it was given to has returned", 2) end
  end
  if type(value) == "number" then
    local cell = out.values[count]
    cell.tag = 4
    cell.number = value + 0
  elseif value == nil then
    error("nil cannot be a record (mt.null can)", 2)
  else
    encode(out.arena, out.values[count], value, place)
  end
  if timestamp == nil then
    out.times[count] = DEFAULT_TIME
  else
    out.times[count] = time_of(timestamp)
  end
  out.count = count + 1
end

return Collector
]]

--- The collector of an output of a step.
---@param call ffi.cdata* struct call
---@param port integer
---@param fields table<string, true>? all that its tables can have, if that is known
---@param default_time? "out_time" what is collected without a time has that of the cell, not the record's
---@return Collector
---@return EncodingPlace
return function(call, port, fields, default_time)
  local text = source:gsub("DEFAULT_TIME", default_time and "call." .. default_time or "call.times[call.index]")
  local place = encoding.place(fields)
  local class = generate(text, "=collector", call, port, C, encoding.encode, place, times.to_engine)
  return lend(call, methods(class, "out")), place
end
