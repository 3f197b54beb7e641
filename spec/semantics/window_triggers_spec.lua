-- Triggers, of the library and of one's own.
local cases = require "support.case"
local mt = require "moontide"
local scenario = require "support.scenario"
local variants = require "support.variants"

local function sum(key, _, elements, _, out)
  local total = 0
  for _, element in ipairs(elements) do total = total + element.value end
  out:collect(("%s:%d"):format(key, total))
end

local function case(name, window, trigger, text, set)
  scenario.it(it, name, function(input)
    local windowed = input:key_by("key"):window(window)
    if trigger then windowed = windowed:trigger(trigger) end
    return (set and set(windowed) or windowed):process("sum", sum)
  end, text)
end

describe("a trigger", function()
  case("T7: global, continuous_event_time(3 s)", mt.global_window {}, mt.trigger.continuous_event_time("3s"), [[
    key1:1@0 key2:1@3000 key2:1@3999 key1:1@20 key1:1@999 key2:1@1998 key2:1@1999 key2:1@1000
    wm 1000
    wm 2000
    wm 3000 -> key1:3@MAX
    wm 4000
    wm 5000
    wm 6000 -> key1:3@MAX key2:5@MAX
    wm 7000
    wm 8000
  ]])

  case("S28: continuous also at the end of the window, and at once where that is past", mt.tumbling { size = 5000 },
    mt.trigger.continuous_event_time("2s"), [[
    a:1@0
    wm 1999
    wm 2000 -> a:1@4999
    a:2@100
    wm 4000 -> a:3@4999
    wm 4999 -> a:3@4999
    a:4@200 -> a:7@4999
    wm 5999 -> rows=0 timers=0
  ]], function(windowed) return windowed:allowed_lateness(1000) end)

  case("S28: before 1970 the remainder truncates", mt.tumbling { size = 10000 }, mt.trigger.continuous_event_time("3s"), [[
    a:1@-8000
    wm -6000
    wm -3000 -> a:1@-1
    wm -1 -> a:1@-1
  ]])

  case("T8: global, purging(count(4))", mt.global_window {}, mt.trigger.purging(mt.trigger.count(4)), [[
    key2:1@3000 key2:1@3999 key1:1@20 key1:1@0 key1:1@999 key2:1@1998
    key2:1@1999 -> key2:4@MAX
    |SNAP|
    key2:1@1000
    key1:1@10999 -> key1:4@MAX
    key2:1@1000 key2:1@1000
    key2:1@1000 -> key2:4@MAX rows=0 timers=0
  ]])

  case("T8: as a count window", mt.count_window { size = 4 }, nil, [[
    key2:1@3000 key2:1@3999 key1:1@20 key1:1@0 key1:1 key2:1@1998
    key2:1@1999 -> key2:4@MAX
    |SNAP|
    key1:1@10999 -> key1:4@MAX rows=0 timers=0
  ]])

  case("a count window with a slide", mt.count_window { size = 3, slide = 2 }, nil, [[
    a:1 a:2 -> a:3@MAX
    a:4 a:8 -> a:14@MAX
    a:16 a:32 -> a:56@MAX rows=3
  ]])

  case("T9: global, end_of_stream()", mt.global_window {}, mt.trigger.end_of_stream(), [[
    key2:1@3000 key2:1@3999 key1:1@20 key1:1@0 key1:1@999 key2:1@1998 key2:1@1999 key2:1@1000
    wm 9007199254740992
    wm MAX -> key1:3@MAX key2:5@MAX
  ]])

  case("the global window never fires by itself", mt.global_window {}, nil, [[
    a:1@5
    wm MAX -> rows=1 timers=0
  ]])

  case("S27: count(2) on a window of event time", mt.tumbling { size = 1000 }, mt.trigger.count(2), [[
    a:1@1 a:2@2 -> a:3@999
    a:4@3 a:8@4 -> a:15@999
    a:16@5
    wm 999 -> rows=0 timers=0
  ]])

  case("delta fires beyond its threshold from the one that fired last", mt.global_window {},
    mt.trigger.delta(2, function(last_fired, new) return new.value - last_fired.value end), [[
    a:1
    a:3
    a:4 -> a:8@MAX
    a:6
    a:7 -> a:21@MAX
  ]])

  case("S26: a fire with nothing in the window emits nothing", mt.tumbling { size = 1000 }, mt.trigger.purging(mt.trigger.event_time()), [[
    a:1@1
    wm 999 -> a:1@999 timers=1
    wm 1998
    a:2@2 -> a:2@999
    wm 1999 -> rows=0 timers=0
  ]], function(windowed) return windowed:allowed_lateness(1000) end)

  case("processing_time() on windows of event time", mt.tumbling { size = 1000 }, mt.trigger.processing_time(), [[
    a:1@1 -> timers=2
    PT=999 -> a:1@999
    wm 999 -> rows=0 timers=0
  ]])
end)

describe("a trigger of one's own", function()
  -- A spec in all ways: `play(trigger, options, script)` opens a harness for each call.
  local function each(name, body)
    variants.it(it, name, { key = function(record) return record.key end }, function(open)
      body(function(trigger, options, script)
        options = options or {}
        script(open(function(input)
          local windowed = input:key_by("key"):window(options.window or mt.tumbling { size = 1000 }):trigger(trigger)
          if options.lateness then windowed = windowed:allowed_lateness(options.lateness) end
          return windowed:process("sum", options.definition or sum)
        end, { harness = options.harness }))
      end)
    end)
  end

  local function failure_of(trigger)
    local h = cases.new(function(input) return input:key_by("key"):window(mt.tumbling { size = 1000 }):trigger(trigger):process("sum", sum) end)
    local ok, failure = pcall(h.push, h, { key = "a", value = 2 }, 1)
    assert.is_false(ok, "it did not fail")
    return failure
  end

  after_each(cases.close)

  each("is asked with value, time, window and the clocks, and answers what happens", function(play)
    local seen = {}
    local answers = { "continue", "fire", "fire_and_purge", "purge", "fire" }
    play({
      on_element = function(_, value, timestamp, window, ctx)
        seen[#seen + 1] = ("%d@%d [%d,%d) %d wm %d PT %d"):format(value.value, timestamp, window.start, window["end"], window.max_timestamp,
          ctx:current_watermark(), ctx:current_processing_time())
        return table.remove(answers, 1)
      end,
    }, { harness = { processing_time = 77 } }, function(h)
      h:watermark(5)
      for i = 1, 5 do h:push({ key = "a", value = 2 ^ i }, 10 + i) end
      assert.same({ "2@11 [0,1000) 999 wm 5 PT 77", "4@12 [0,1000) 999 wm 5 PT 77" }, { seen[1], seen[2] })
      assert.same({ "a:6", "a:14", "a:32" }, h:values())
    end)
  end)

  each("S24: without callbacks it never fires; the window's own cleanup timer still calls on_event_time first", function(play)
    local seen = {}
    play({
      on_event_time = function(_, time, window)
        seen[#seen + 1] = ("%d of %d"):format(time, window.max_timestamp)
        return "fire"
      end,
      clear = function(_, window) seen[#seen + 1] = "clear " .. window.max_timestamp end,
    }, { lateness = 500 }, function(h)
      h:push({ key = "a", value = 1 }, 10)
      h:watermark(1499)
      assert.same({ "1499 of 999", "clear 999" }, seen)
      assert.same({ { value = "a:1", timestamp = 999 }, { watermark = 1499 } }, h:output())
      assert.equal(0, h:state_size())
    end)
    play({}, nil, function(h)
      h:push({ key = "a", value = 1 }, 10)
      h:watermark(5000)
      assert.same({}, h:values())
      assert.equal(0, h:state_size() + h:timer_count("event"))
    end)
  end)

  each("has timers of the window, in both domains, and forgets them where it says so", function(play)
    local seen = {}
    play({
      on_element = function(_, value, _, _, ctx)
        if value.value == 0 then
          ctx:delete_event_time_timer(100)
          ctx:delete_processing_time_timer(60)
        else
          ctx:register_event_time_timer(value.value)
          ctx:register_event_time_timer(100)
          ctx:register_processing_time_timer(50)
          ctx:register_processing_time_timer(60)
        end
        return "continue"
      end,
      on_event_time = function(_, time) seen[#seen + 1] = "event " .. time return "continue" end,
      on_processing_time = function(_, time) seen[#seen + 1] = "processing " .. time return "fire" end,
    }, nil, function(h)
      h:push({ key = "a", value = 70 }, 10)
      h:push({ key = "a", value = 0 }, 11)
      assert.equal(2, h:timer_count("event"))
      h:push({ key = "a", value = 0 }, 1001) -- another window: nothing to delete there
      h:push({ key = "b", value = 80 }, 10)
      h:watermark(200)
      h:set_processing_time(100)
      table.sort(seen) -- each subtask fires its own, in their order
      assert.same({ "event 100", "event 70", "event 80", "processing 50", "processing 50", "processing 60" }, seen)
      assert.equal(3, #h:values())
    end)
  end)

  each("S26: purge leaves the trigger's state and the window", function(play)
    play({
      state = { count = mt.value_state { default = 0 } },
      on_element = function(self)
        self.count:update(self.count:value() + 1)
        return self.count:value() % 2 == 0 and "fire_and_purge" or "continue"
      end,
      clear = function(self) self.count:clear() end,
    }, nil, function(h)
      for i = 1, 4 do h:push({ key = "a", value = i }, i) end
      assert.same({ "a:3", "a:7" }, h:values())
      assert.equal(1, h:state_size())
      h:watermark(999)
      assert.equal(0, h:state_size())
    end)
  end)

  it("that answers something else fails the record", function()
    for given, text in pairs { maybe = '"maybe"', [true] = "true", ["nil"] = "nothing" } do
      local failure = failure_of { on_element = function() if given ~= "nil" then return given end end }
      assert.matches("'on_element' of the trigger must answer \"continue\", \"fire\", \"purge\" or \"fire_and_purge\", got " .. text, failure, 1, true)
    end
  end)

  it("is named where it fails", function()
    local trigger = { on_element = function(_, value) if value.value == 2 then error("no twos") end return "fire" end }
    local failure = failure_of(trigger)
    assert.matches("no twos", failure, 1, true)
    assert.matches("in on_element", failure, 1, true)
    assert.matches('step "sum"', failure, 1, true)
  end)

  each("that fails has its record skipped", function(play)
    play({ on_element = function(_, value) if value.value == 2 then error("no twos") end return "fire" end }, { harness = { on_error = "skip" } }, function(h)
      for i = 1, 3 do h:push({ key = "a", value = i }, 1) end
      assert.same({ "a:1", "a:4" }, h:values())
    end)
  end)

  each("takes back timers, contents and states of a record that failed", function(play)
    play({
      state = { count = mt.reducing_state { reduce = function(a, b) return a + b end } },
      on_element = function(self, value, _, _, ctx)
        self.count:add(1)
        ctx:register_event_time_timer(500)
        if value.value == 2 then error("no twos") end
        return "continue"
      end,
      clear = function(self) self.count:clear() end,
    }, { harness = { on_error = "skip" } }, function(h)
      h:push({ key = "a", value = 2 }, 1)
      assert.equal(0, h:state_size())
      assert.equal(0, h:timer_count("event"))
      h:push({ key = "a", value = 1 }, 1)
      h:push({ key = "a", value = 2 }, 1)
      assert.equal(2, h:state_size())
      assert.equal(2, h:timer_count("event"))
      h:watermark(2000)
      assert.equal(0, h:state_size() + h:timer_count("event"))
    end)
  end)

  each("takes back with a record that failed that it deleted a timer at which its window ends", function(play)
    play({
      on_element = function(_, value, _, window, ctx)
        ctx:register_processing_time_timer(50)
        if value.value ~= 2 then return "continue" end
        ctx:delete_event_time_timer(window.max_timestamp)
        error("no twos")
      end,
    }, { harness = { on_error = "skip" } }, function(h)
      h:push({ key = "a", value = 1 }, 1)
      h:watermark(999)
      h:push({ key = "a", value = 2 }, 1001)
      h:set_processing_time(50) -- a timer of the window that is no more: nothing is to be forgotten again
      assert.equal(0, h:timer_count("event"))
    end)
  end)
end)
