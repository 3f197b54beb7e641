-- The job of one order that is killed: each of its sources is read by one subtask, so its records and watermarks come in one order,
-- which decides what is late, what a timer finds and what a list holds. Of any parallelism, through any kills it writes the same lines.
-- mt.args: see common.lua; seed
package.path = "spec/?.lua;" .. package.path
local mt = require "moontide"
local common = require "faults.chaos.common"
local model = require "faults.chaos.order.model"
local shapes = require("faults.chaos.order.shape").of(tonumber(mt.args.seed))
local step = require "faults.chaos.order.step"

local job = common.job()
local records = model.read_input(mt.args.input)

local function of_number(n) return records[n] end

local function poll(self, out)
  for n = self.next, math.min(self.next + 30, #records) do out:collect(records[n]) end
  self.next = self.next + 31
  return self.next <= #records or "end"
end

local sources = {
  file = job:from(mt.file { path = mt.args.input, format = "csv", split = false }, { name = "file", parallelism = 1 }),
  source = job:from(mt.source {
    open = function(self) self.next = 1 end, poll = poll,
    snapshot = function(self) return self.next end, restore = function(self, position) self.next = position end,
  }, { name = "source" }),
  generator = job:from(mt.generator { count = #records, fn = of_number }, { name = "generator", parallelism = 1 }),
  sequence = job:from(mt.sequence { from = 1, to = #records }, { name = "sequence", parallelism = 1 }):map(of_number),
}

local function window_of(window)
  if window.kind == "session" then return mt.session { gap = window.size } end
  return mt.sliding { size = window.size, slide = window.slide, offset = window.offset }
end

local function describe(key, window, elements, _, out)
  local sum, values = 0, {}
  for i, record in ipairs(elements) do sum, values[i] = sum + record.v, record.v end
  table.sort(values)
  out:collect(("%s|%d|%d|%d|%d|%s@%d"):format(key, window.start, window["end"], #elements, sum, table.concat(values, " "), window.max_timestamp))
end

local written = {}
for _, shape in ipairs(shapes) do
  local name = shape.name
  local keyed = sources[name]:assign_timestamps { field = "t", max_out_of_orderness = shape.out_of_orderness, emit = shape.emit, name = name .. "_times" }
    :map(common.pace(64)):key_by("a")
  local windows = keyed:window(window_of(shape.window)):allowed_lateness(shape.lateness):side_output_late("late"):process(name .. "_windows", describe)
  local late = windows:side_output("late"):map(function(record) return ("late %s|%d@%d"):format(record.a, record.v, record.t) end)
  local definition = step(mt)
  definition.parallelism, definition.on_error = common.own "first", "skip"
  local lines = windows:union(late, keyed:process(name .. "_step", definition))
  written[#written + 1] = lines:map(function(line) return name .. " " .. line end)
end
common.write_parts(written[1]:union(unpack(written, 2)))
return job
