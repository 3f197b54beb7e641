--- What comes out of a harness: records and marks, taken from the engine in order.
local ffi = require "ffi"
local C = require "moontide.engine"
local times = require "moontide.runtime.times"
local values = require "moontide.runtime.values"

local M = {}

---@class HarnessOutput
local Output = {}
Output.__index = Output

local function add_records(list, batch)
  for i = 0, batch.count - 1 do
    list[#list + 1] = { value = values.decode(batch.values[i], batch.arena.bytes), timestamp = times.from_engine(batch.times[i]) }
  end
end

local marks = {
  [2] = function(item) return { barrier = tonumber(item.number) } end,
  [3] = function(item) return { cancelled = tonumber(item.number) } end,
  [4] = function() return { ended = true } end,
  [5] = function(item) return { watermark = times.from_engine(item.number) } end,
  [6] = function() return { status = "idle" } end,
  [7] = function() return { status = "active" } end,
}

-- All items of an output step since the last call.
local function drain(self, step)
  local list, item = {}, self.item
  while C.by_hand_take(self.worker, step, item) do
    if item.kind == 1 then
      add_records(list, item.batch)
      C.batch_drop(item.batch)
    else
      list[#list + 1] = marks[item.kind](item)
    end
  end
  return list
end

function Output:take()
  return drain(self, self.step)
end

function Output:values()
  local list = {}
  for _, element in ipairs(drain(self, self.step)) do
    if element.value ~= nil then list[#list + 1] = element.value end
  end
  return list
end

local function queue(self, tag, element)
  self.tagged[tag] = self.tagged[tag] or {}
  table.insert(self.tagged[tag], element)
end

--- What was sent to a tag, whoever reads it.
function Output:side(tag)
  for _, element in ipairs(self.sides.rest and drain(self, self.sides.rest) or {}) do
    if element.value ~= nil then queue(self, element.value[1], { value = element.value[2], timestamp = element.timestamp }) end
  end
  for _, side in ipairs(self.sides.read) do
    for _, element in ipairs(drain(self, side.step)) do
      if element.value ~= nil then queue(self, side.tag, element) end
    end
  end
  local list = self.tagged[tag] or {}
  self.tagged[tag] = nil
  return list
end

--- The outputs of a worker.
---@param worker ffi.cdata* struct worker
---@param built table what testing.graph answered
---@return HarnessOutput
function M.new(worker, built)
  return setmetatable({ worker = worker, step = built.output, sides = built.sides, tagged = {}, item = ffi.new("struct by_hand_item") }, Output)
end

return M
