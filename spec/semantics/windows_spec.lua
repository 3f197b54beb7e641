-- Event-time and processing-time windows: when they fire, with what, and what is late.
local mt = require "moontide"
local scenario = require "support.scenario"

local function sum_of(elements)
  local sum = 0
  for _, element in ipairs(elements) do sum = sum + element.value end
  return sum
end

local function emit_sum(key, _, elements, _, out) out:collect(("%s:%d"):format(key, sum_of(elements))) end
local function emit_total(key, _, total, _, out) out:collect(("%s:%d"):format(key, total.value)) end
local function add(a, b) return { key = a.key, value = a.value + b.value } end

local aggregate = {
  create = function() return { sum = 0, count = 0 } end,
  add = function(acc, element) return { sum = acc.sum + element.value, count = acc.count + 1 } end,
  result = function(acc) return { value = acc.sum } end,
  merge = function(a, b) return { sum = a.sum + b.sum, count = a.count + b.count } end,
}

-- The ways to the same sums: buffered, reduced, aggregated, and the built-in one.
local ways = {
  process = function(windowed) return windowed:process("sum", emit_sum) end,
  reduce = function(windowed) return windowed:reduce("sum", add, emit_total) end,
  ["reduce without a function"] = function(windowed, as_it_is)
    local sums = windowed:reduce("sum", add)
    return as_it_is and sums or sums:map(function(value) return ("%s:%d"):format(value.key, value.value) end)
  end,
  aggregate = function(windowed) return windowed:aggregate("sum", aggregate, emit_total) end,
  sum = function(windowed, as_it_is)
    local sums = windowed:sum("sum", "value")
    return as_it_is and sums or sums:map(function(value) return ("%s:%d"):format(value.key, value.sum) end)
  end,
}

-- `take` answers what of the stream of sums is looked at: otherwise all of it.
local function each_way(name, window, text, set, take)
  for way, finish in pairs(ways) do
    scenario.it(it, ("%s, %s"):format(name, way), function(input)
      local windowed = input:key_by("key"):window(window)
      local sums = finish(set and set(windowed) or windowed, take)
      return take and take(sums) or sums
    end, text)
  end
end

local input_a = "key2:1@3999 key2:1@3000 key1:1@20 key1:1@0 key1:1@999 key2:1@1998 key2:1@1999 key2:1@1000\n"

describe("a window of event time", function()
  each_way("T1: sliding 3 s / 1 s", mt.sliding { size = "3s", slide = "1s" }, input_a .. [[
    wm 999 -> key1:3@999
    wm 1999 -> key1:3@1999 key2:3@1999
    wm 2999 -> key1:3@2999 key2:3@2999
    |SNAP|
    wm 3999 -> key2:5@3999
    wm 4999 -> key2:2@4999
    wm 5999 -> key2:2@5999 rows=0 timers=0
    wm 6999
    wm 7999
  ]])

  each_way("T2: tumbling 3 s", mt.tumbling { size = "3s" }, input_a .. [[
    wm 999
    wm 1999
    |SNAP|
    wm 2999 -> key1:3@2999 key2:3@2999
    wm 3999
    wm 4999
    wm 5999 -> key2:2@5999 rows=0 timers=0
    wm 6999
    wm 7999
  ]])

  each_way("S19, S20: [start, end), and it fires at end - 1", mt.tumbling { size = 1000 }, [[
    a:1@999 a:2@1000 -> timers=2
    wm 998
    wm 999 -> a:1@999
    wm 1998
    wm 1999 -> a:2@1999
  ]])

  each_way("S21: before 1970, with an offset", mt.tumbling { size = 7, offset = -2 }, [[
    a:1@-12 a:2@-10 a:4@-9 a:8@-3
    wm -10 -> a:3@-10
    wm -3 -> a:12@-3
  ]])

  each_way("S22: a slide above the size leaves gaps, whose records are neither late nor counted", mt.sliding { size = 10, slide = 30 }, [[
    a:1@5 a:2@15 a:4@29 a:8@30 -> rows=2
    wm 9 -> a:1@9
    wm 100 -> a:8@39
    a:1@15
  ]], function(windowed) return windowed:side_output_late("late") end)

  each_way("S23: a late record within the lateness fires at once, with all", mt.tumbling { size = "2s" }, [[
    key2:1@500
    wm 1999 -> key2:1@1999
    key2:2@1300 -> key2:3@1999
    key2:4@1301 -> key2:7@1999
    wm 2499 -> rows=0 timers=0
    key2:8@1302 -> late>key2:8@1302
  ]], function(windowed) return windowed:allowed_lateness(500):side_output_late("late") end)

  each_way("T14: tumbling 2 s, lateness 500, purging(event_time), side output", mt.tumbling { size = "2s" }, [[
    key2:1@500
    wm 1500
    key2:1@1300
    wm 2300 -> key2:2@1999
    key2:1@1997 -> key2:1@1999
    wm 6000 -> rows=0 timers=0
    key2:1@1998 -> late>key2:1@1998
    wm 7000
  ]], function(windowed)
    return windowed:trigger(mt.trigger.purging(mt.trigger.event_time())):allowed_lateness(500):side_output_late("late")
  end)

  each_way("T16: tumbling 2 s, no lateness, side output", mt.tumbling { size = "2s" }, [[
    key2:1@1000
    wm 1985
    key2:1@1980
    wm 1999 -> key2:2@1999
    key2:1@1998 -> late>key2:1@1998
    key2:1@2001
    wm 2999
    wm 3999 -> key2:1@3999 rows=0 timers=0
  ]], function(windowed) return windowed:side_output_late("late") end)

  each_way("S25: a record that is late for some of its windows goes to the others alone", mt.sliding { size = 4000, slide = 2000 }, [[
    wm 1999
    a:1@1500
    wm 3999 -> a:1@3999
    a:2@1700 -> late>a:2@1700
  ]], function(windowed) return windowed:side_output_late("late") end)

  each_way("S24: of windows that begin every millisecond each is kept as long as the others", mt.sliding { size = 3, slide = 1 }, [[
    a:1@1 a:2@2 a:4@3
    wm 1 -> a:1@1
    wm 2 -> a:3@2
    wm 3 -> a:7@3
    wm 4 -> a:6@4
    wm 5 -> a:4@5 rows=0 timers=0
  ]])

  each_way("S25: a late record has its own time in the step that takes it", mt.tumbling { size = 1000 }, [[
    wm 5000
    a:1@10 -> late:1@10
    a:1@5500
    wm 5999
  ]], function(windowed) return windowed:side_output_late("old") end, function(stream)
    return stream:side_output("old"):map(function(value) return "late:" .. value.value end)
  end)

  each_way("S26: a fire with nothing in the window emits nothing", mt.tumbling { size = 3000 }, [[
    a:1@1
    wm 1000 -> a:1@2999
    wm 2000
    a:2@2500
    wm 2999 -> a:2@2999 rows=0 timers=0
  ]], function(windowed) return windowed:trigger(mt.trigger.purging(mt.trigger.continuous_event_time(1000))) end)

  each_way("S25: without a tag a late record is dropped", mt.tumbling { size = 1000 }, [[
    wm 5000
    a:1@10
    a:1@5500
    wm 5999 -> a:1@5999
  ]])

  each_way("T22: the cleanup does not fire again", mt.tumbling { size = "2s" }, [[
    key2:1@1000
    wm 1599 -> timers=2
    wm 1999 -> key2:1@1999 timers=1 rows=1
    wm 2000 -> rows=0 timers=0
    wm 5000
  ]], function(windowed) return windowed:allowed_lateness(1) end)

  each_way("S24: a window that ends beyond all times has no cleanup and fires at MAX", mt.tumbling { size = 2 ^ 53 }, [[
    a:1@9007199254740992
    a:2@9007199254740992
    wm 9007199254740992
    wm MAX -> a:3@MAX
  ]])

  each_way("S24: a lateness beyond all times keeps the window", mt.tumbling { size = 1000 }, [[
    a:1@1
    wm 999 -> a:1@999 timers=0 rows=1
    wm 9007199254740992
    a:2@2 -> a:3@999
  ]], function(windowed) return windowed:allowed_lateness(2 ^ 53) end)

  each_way("S27: another trigger replaces the window's own", mt.tumbling { size = 1000 }, [[
    a:1@1 a:2@2 -> a:3@999
    a:4@3
    wm 999 -> rows=0 timers=0
    wm 5000
  ]], function(windowed) return windowed:trigger(mt.trigger.count(2)) end)

  scenario.it(it, "S32: windows of one size one behind the other", function(input)
    return input:key_by("key"):window(mt.tumbling { size = 1000 }):reduce("first", add)
      :key_by("key"):window(mt.tumbling { size = 1000 }):reduce("second", add, emit_total)
  end, [[
    a:1@1 a:2@2 a:4@1500
    wm 999 -> a:3@999
    wm 1999 -> a:4@1999
  ]])
end)

describe("a window of processing time", function()
  each_way("T11: tumbling 3 s; the times of the records do not count", mt.tumbling { size = "3s", time = "processing" }, [[
    PT=3
    key2:1@MAX key2:1@7000 key2:1@7000 key1:1@7000 key1:1@7000
    PT=5000 -> key2:3@2999 key1:2@2999 rows=0 timers=0
    key1:1@7000 key1:1 key1:1@-5
    wm MAX
    PT=7000 -> key1:3@5999
  ]])

  each_way("T12: sliding 3 s / 1 s", mt.sliding { size = "3s", slide = "1s", time = "processing" }, [[
    PT=3
    key2:1
    PT=1000 -> key2:1@999
    key2:1 key2:1
    PT=2000 -> key2:3@1999
    key1:1 key1:1
    PT=3000 -> key2:3@2999 key1:2@2999
    PT=7000 -> key2:2@3999 key1:2@3999 key1:2@4999 rows=0 timers=0
  ]])

  each_way("S18, S24: lateness does not count, nothing is late", mt.tumbling { size = 1000, time = "processing" }, [[
    wm 100000
    PT=10
    a:1@5 -> timers=1
    PT=999 -> a:1@999 rows=0 timers=0
  ]], function(windowed) return windowed:allowed_lateness(500):side_output_late("late") end)
end)

describe("what a window emits", function()
  it("count, sum, min and max say key, window and their number", function()
    local testing = require "moontide.testing"
    local cases = { count = 2, sum = 8, min = 3, max = 5 }
    for name, number in pairs(cases) do
      local h = testing.harness(function(input)
        local windowed = input:key_by("key"):window(mt.tumbling { size = 1000 })
        if name == "count" then return windowed:count("c") end
        return windowed[name](windowed, "c", "value")
      end)
      h:push({ key = "a", value = 5 }, 1)
      h:push({ key = "a", value = 3 }, 2)
      h:watermark(999)
      assert.same({ { key = "a", window_start = 0, window_end = 1000, [name] = number } }, h:values())
      h:close()
    end
  end)

  it("of the global window has no window in it", function()
    local testing = require "moontide.testing"
    local h = testing.harness(function(input) return input:key_by("key"):window(mt.count_window { size = 2 }):count("c") end)
    h:push { key = "a" }
    h:push { key = "a" }
    assert.same({ { value = { key = "a", count = 2 }, timestamp = math.huge } }, h:output())
    h:close()
  end)

  it("aggregate alone emits the result", function()
    local testing = require "moontide.testing"
    local h = testing.harness(function(input) return input:key_by("key"):window(mt.tumbling { size = 1000 }):aggregate("a", aggregate) end)
    h:push({ key = "a", value = 5 }, 1)
    h:watermark(999)
    assert.same({ { value = 5 } }, h:values())
    h:close()
  end)
end)
