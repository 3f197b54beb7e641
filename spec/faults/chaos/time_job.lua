-- The job of event time that is killed: windows of three kinds, timers and an interval join over one input. No record
-- is late, so what it must write does not depend on how many subtasks read (see time_model.lua).
-- mt.args: see common.lua
package.path = "spec/?.lua;" .. package.path
local mt = require "moontide"
local common = require "faults.chaos.common"

local job = common.job()

local line = "%s,%s,%d,%d,%d,%d"

local totals = {
  create = function() return { count = 0, sum = 0 } end,
  add = function(total, record)
    total.count, total.sum = total.count + 1, total.sum + record.v
    return total
  end,
  result = function(total) return total end,
  merge = function(x, y) return { count = x.count + y.count, sum = x.sum + y.sum } end,
}

local function write(name)
  return function(key, window, total, _, out) out:collect(line:format(name, key, window.start, window["end"], total.count, total.sum)) end
end

-- The list of the elements, and the number of windows that the key had before.
local listed = {
  parallelism = common.own "second",
  state = { windows = mt.value_state { default = 0 } },
  window_state = { fired = mt.value_state { default = 0 } },
  process = function(self, key, window, elements, _, out)
    local number, sum = self.windows:value() + 1, 0
    self.windows:update(number)
    self.fired:update(self.fired:value() + 1)
    for _, record in ipairs(elements) do sum = sum + record.v end
    out:collect(line:format("tumbling", key, window.start, number, #elements, sum * self.fired:value()))
  end,
}

-- A timer at the end of each second in which the key has records, and one that is deleted again.
local by_second = {
  parallelism = common.own "first",
  state = { seconds = mt.map_state(), fired = mt.value_state { default = 0 } },
  process_element = function(self, record, ctx)
    local last = record.t - record.t % 1000 + 999
    local total = self.seconds:get(last) or { count = 0, sum = 0 }
    total.count, total.sum = total.count + 1, total.sum + record.v
    self.seconds:put(last, total)
    ctx:timers():register_event_time_timer(last)
    ctx:timers():register_event_time_timer(last + 1)
    ctx:timers():delete_event_time_timer(last + 1)
  end,
  on_timer = function(self, timestamp, ctx, out)
    local total, number = self.seconds:get(timestamp) or { count = -1, sum = -1 }, self.fired:value() + 1
    self.fired:update(number)
    self.seconds:remove(timestamp)
    out:collect(line:format("timer", ctx:current_key(), timestamp, number, total.count, total.sum))
  end,
}

local function late(stream)
  return stream:side_output("late"):map(function(record) return "late," .. record.n end)
end

local records = common.timed_records(job, 256)
local by_a, by_b = records:key_by "a", records:key_by "b"

local tumbling = by_a:window(mt.tumbling { size = "10s" }):side_output_late("late"):process("tumbling", listed)
local sliding = by_b:window(mt.sliding { size = "4s", slide = "1s" }):side_output_late("late"):aggregate("sliding", totals, write "sliding")
local sessions = by_a:window(mt.session { gap = "800ms" }):side_output_late("late"):aggregate("sessions", totals, write "session")
local timers = by_b:process("timers", by_second)
local odd = records:filter(function(record) return record.n % 2 == 1 end):key_by "a"
local even = records:filter(function(record) return record.n % 2 == 0 end):key_by "a"
local joined = odd:interval_join(even, { lower = "-700ms", upper = "500ms", late_left = "late", late_right = "late" })
  :process("join", function(left, right, _, out) out:collect(line:format("join", left.a, left.n, right.n, left.v, right.v)) end)

common.write_parts(tumbling:union(sliding, sessions, timers, joined, late(tumbling), late(sliding), late(sessions), late(joined)))

return job
