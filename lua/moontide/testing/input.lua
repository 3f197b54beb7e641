--- Inputs of a harness and their channels: where a test pushes to.
local ffi = require "ffi"
local C = require "moontide.engine"
local check = require "moontide.runtime.fail"
local describe = require "moontide.describe"
local times = require "moontide.runtime.times"
local encoding = require "moontide.runtime.encode"
local where = require "moontide.where"

local M = {}

local batch_records_max, batch_bytes_soft = 1024, 65536
local kinds = { batch = 1, barrier = 2, cancel = 3, ["end"] = 4, watermark = 5, idle = 6, active = 7 }

---@class HarnessChannel
local Channel = {}
Channel.__index = Channel

local function send(self, kind, number, batch)
  local item = ffi.new("struct by_hand_item", { kind = kinds[kind], number = number or 0, batch = batch })
  check(C.by_hand_push(self.harness._worker_handle, self.step, self.number - 1, item))
end

local function check_channel(self, what)
  self.harness:_check_open()
  if self.finished then where.raise("%s: channel %d of input %d is finished", what, self.number, self.input) end
end

local function put(batch, value, timestamp, place)
  if value == nil then error("push: nil cannot be a record (mt.null can)", 0) end
  local count = batch.count
  batch.times[count] = timestamp == nil and times.none or times.to_engine(timestamp)
  encoding.encode(batch.arena, batch.values[count], value, place)
  batch.count = count + 1
end

-- A batch that could not be filled is nobody's but ours.
local function filled(fill)
  local batch = C.batch_take()
  local ok, message = pcall(fill, batch)
  if ok then return batch end
  C.batch_drop(batch)
  return where.raise("%s", tostring(message))
end

--- A record. It has gone through all steps when the call answers, unless alignment holds the channel back.
---@param value any
---@param timestamp? number
function Channel:push(value, timestamp)
  check_channel(self, "push")
  send(self, "batch", 0, filled(function(batch) put(batch, value, timestamp, self.place) end))
  self.harness:_run()
end

--- Many records without time stamps, in batches as large as a job's.
---@param list any[]
function Channel:push_all(list)
  check_channel(self, "push_all")
  local i = 1
  while i <= #list do
    send(self, "batch", 0, filled(function(batch)
      while i <= #list and batch.count < batch_records_max and batch.arena.used < batch_bytes_soft do
        put(batch, list[i], nil, self.place)
        i = i + 1
      end
    end))
  end
  self.harness:_run()
end

local function check_id(what, id)
  if type(id) ~= "number" or id % 1 ~= 0 or id < 1 or id > 2 ^ 53 then
    where.raise("%s: needs the number of a checkpoint, from 1, got %s", what, describe(id))
  end
end

--- The barrier of a checkpoint.
---@param id integer
function Channel:barrier(id)
  check_channel(self, "barrier")
  check_id("barrier", id)
  send(self, "barrier", id)
  self.harness:_run()
end

--- The mark that a checkpoint was given up.
---@param id integer
function Channel:cancel_barrier(id)
  check_channel(self, "cancel_barrier")
  check_id("cancel_barrier", id)
  send(self, "cancel", id)
  self.harness:_run()
end

--- A watermark: no record with this time or an earlier one follows on this channel.
---@param time number milliseconds, or math.huge
function Channel:watermark(time)
  check_channel(self, "watermark")
  local ok, number = pcall(times.to_engine, time)
  if not ok then where.raise("watermark: needs whole milliseconds within 2^53 or math.huge, got %s", describe(time)) end
  send(self, "watermark", number)
  self.harness:_run()
end

--- This channel has nothing for now, and holds time back no longer.
function Channel:idle()
  check_channel(self, "idle")
  send(self, "idle")
  self.harness:_run()
end

--- The end of being idle.
function Channel:active()
  check_channel(self, "active")
  send(self, "active")
  self.harness:_run()
end

--- The end of this channel: nothing may follow.
function Channel:finish()
  check_channel(self, "finish")
  send(self, "end")
  self.finished = true
  self.harness:_run()
end

---@class HarnessInput
---@field channels HarnessChannel[]
local Input = {}
-- What is called on an input goes to its first channel.
Input.__index = function(self, name)
  local method = Channel[name]
  return type(method) == "function" and function(_, ...) return method(self.channels[1], ...) end or nil
end

--- An input of a harness.
---@param harness Harness
---@param step integer of the engine's plan
---@param number integer from 1
---@param channel_count integer
---@return HarnessInput
function M.new(harness, step, number, channel_count)
  local channels = {}
  for k = 1, channel_count do
    channels[k] = setmetatable({ harness = harness, step = step, input = number, number = k, place = encoding.place(), finished = false }, Channel)
  end
  return setmetatable({ step = step, channels = channels }, Input)
end

return M
