-- What the job of one order must have written, worked out again in plain Lua: record by record, watermark by watermark.
local model = require "faults.chaos.model"
local plain_key = require "support.plain_key"
local plain_state = require "support.plain_state"
local shape_of = require("faults.chaos.order.shape").of
local step = require "faults.chaos.order.step"
local time_model = require "faults.chaos.time_model"
local window_reference = require "support.window_reference"

local KEYS = 12

local M = { write_input = time_model.write_input }

--- The records of the time model, of few keys.
function M.records(count, seed)
  local records = time_model.records(count, seed)
  for _, record in ipairs(records) do record.a = "key-" .. record.a:match("%d+") % KEYS end
  return records
end

--- The records that write_input() wrote.
function M.read_input(path)
  local records = {}
  for line in io.lines(path) do
    local n, a, v, t = line:match "^(%d+),([^,]*),%d+,(%d+),(%d+),"
    if n then records[#records + 1] = { n = tonumber(n), a = a, v = tonumber(v), t = tonumber(t) } end
  end
  return records
end

-- ---- The step ----

local Step = {}
Step.__index = Step

-- What a callback does and emits counts if it does not fail.
function Step:call(own, callback, ...)
  local saved, emitted = own:save(), #self.lines
  if pcall(callback, own, ...) then return end
  own:restore(saved)
  for i = #self.lines, emitted + 1, -1 do self.lines[i] = nil end
end

function Step:record(record)
  local own = self.keys[record.a] or plain_key.new(self.definition, record.a, self.now)
  self.keys[record.a] = own
  self:call(own, own.process, "process_element", record, self.out)
end

function Step:watermark(time)
  self.now.watermark = time
  for _, own in pairs(self.keys) do
    local due = own:earliest "event"
    while due and due <= time do
      own:take_timer("event", due)
      self:call(own, own.on_timer, "event", due, self.out)
      due = own:earliest "event"
    end
  end
end

local function new_step(lines)
  local out = { collect = function(_, line) lines[#lines + 1] = line end }
  return setmetatable({ definition = step(plain_state), keys = {}, now = { watermark = -math.huge }, lines = lines, out = out }, Step)
end

-- ---- A stream ----

local function windows_to(lines, windows)
  for _, text in ipairs(windows:take()) do
    if text:sub(1, 2) ~= "W(" then lines[#lines + 1] = text end
  end
end

local function lines_of(records, shape)
  local lines, highest = {}, -math.huge
  local windows, own = window_reference.new(shape, 1), new_step(lines)
  local function watermark(time)
    windows:set_watermark(1, time)
    own:watermark(time)
  end
  for i, record in ipairs(records) do
    windows:push(1, record.a, record.v, record.t)
    own:record(record)
    highest = math.max(highest, record.t)
    if i % shape.emit == 0 or i == #records then watermark(highest - shape.out_of_orderness - 1) end
  end
  windows:finish(1)
  own:watermark(math.huge)
  windows_to(lines, windows)
  return lines
end

-- The number in a line, by which it stands beside what was written in its place.
local function number_in(line) return tonumber(line:match "%a record (%d+)" or line:match "%a timer (%d+)" or line:match "@(%-?%d+)") or 0 end

-- Lines that stand too few or too many times, in the order of their numbers, with how many too few.
local function sorted_differences(times)
  local lines = {}
  for line, left in pairs(times) do
    if left ~= 0 then lines[#lines + 1] = line end
  end
  table.sort(lines, function(a, b)
    local first, second = number_in(a), number_in(b)
    if first ~= second then return first < second end
    return a < b
  end)
  local i = 0
  return function()
    i = i + 1
    return lines[i], times[lines[i]]
  end
end

--- As model.compare().
function M.compare(texts, records, case)
  local report, times, count = model.new_report(), {}, 0
  for _, shape in ipairs(shape_of(case.seed)) do
    for _, line in ipairs(lines_of(records, shape)) do
      line = shape.name .. " " .. line
      times[line] = (times[line] or 0) + 1
    end
  end
  for _, text in ipairs(texts) do
    for line in text:gmatch("([^\n]*)\n") do
      times[line] = (times[line] or 0) - 1
      count = count + 1
    end
    report:add_torn_end(text)
  end
  for line, left in sorted_differences(times) do
    report:add("%d times too %s: %s", math.abs(left), left > 0 and "few" or "often", line)
  end
  return report, count
end

return M
