--- What `stream:connect(other)` answers: two streams of any types that one step reads,
--- each with a callback of its own, over the same state and timers.
local broadcast = require "moontide.broadcast"
local connected_step = require "moontide.connected_step"
local describe = require "moontide.describe"
local nearest = require "moontide.nearest"
local stream = require "moontide.stream"
local where = require "moontide.where"

---@class ConnectedStream
---@field first Stream
---@field second Stream|BroadcastStream
local ConnectedStream = { __name = "connected stream" }

local M = {}

local function check_second(first, second)
  local is_broadcast = broadcast.is(second)
  if not is_broadcast and not stream.is(second) then
    where.raise(":connect: needs the other stream, or a broadcast stream, got %s", describe(second))
  end
  if second.job ~= first.job then where.raise(":connect: the other is a stream of another job, '%s'", second.job.name) end
  if not is_broadcast and first.keyed ~= second.keyed then
    where.raise(":connect: one stream is keyed and the other is not: call :key_by on both, or on none")
  end
end

--- Connect two streams.
---@param first Stream
---@param second any
---@return ConnectedStream
function M.new(first, second)
  check_second(first, second)
  return setmetatable({ first = first, second = second }, ConnectedStream)
end

--- A step of one's own over both streams: `process_element1` gets the records of the first, `process_element2` those of
--- the second; with a broadcast stream they are `process_element` and `process_broadcast_element`. Where both are keyed,
--- a record finds the state and the timers of its key, from whichever stream it came.
---
---     orders:connect(payments):process("matched", {
---       state = { order = mt.value_state() },
---       process_element1 = function(self, order, ctx, out) self.order:update(order) end,
---       process_element2 = function(self, payment, ctx, out)
---         out:collect { order = self.order:value(), payment = payment }
---       end,
---     })
---@param name string
---@param definition ConnectDefinition|BroadcastDefinition
---@return Stream
function ConnectedStream:process(name, definition)
  local first, second, declared = self.first, self.second, nil
  if broadcast.is(second) then second, declared = second.stream, second.declared end
  local step = connected_step.step(":process", first.keyed, name, definition, declared)
  return stream.new(first.job, stream.append_all({ first, second }, ":process", step))
end

function ConnectedStream.__index(_, name)
  local method = rawget(ConnectedStream, name)
  if method ~= nil or type(name) ~= "string" then return method end
  where.raise("connected streams have no method '%s'%s", name, nearest.hint(name, { "process" }))
end

return M
