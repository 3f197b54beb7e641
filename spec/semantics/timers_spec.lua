local mt = require "moontide"
local testing = require "moontide.testing"
local play = require "support.play"
local variants = require "support.variants"

local function same(value) return value end
local function first(value) return value[1] end

-- A keyed process step over values that are their own keys.
local function step(definition, key)
  return function(input) return input:key_by(key or same):process("timed", definition) end
end

-- Records are { key, time, ... }: each time is registered as an event timer of the key; what fires is "key:time".
local function registers(extra)
  local definition = {
    process_element = function(_, value, ctx)
      for i = 2, #value do ctx:timers():register_event_time_timer(value[i]) end
    end,
    on_timer = function(_, timestamp, ctx, out) out:collect(("%s:%s"):format(ctx:current_key(), timestamp)) end,
  }
  for name, field in pairs(extra or {}) do definition[name] = field end
  return step(definition, first)
end

describe("event timers", function()
  it("S1: fire in the order of their times over all keys", function()
    play.case(registers(), { key = first, ordered = false }, {
      { push = { "a", 30, 10 } }, { push = { "b", 20, 40 } }, { push = { "c", 15 } }, { push = { "d", -5 } },
      { wm = 9, "d:-5@-5 W(9)" },
      { wm = 35, "a:10@10 c:15@15 b:20@20 a:30@30 W(35)" },
      { wm = 40, "b:40@40 W(40)" },
    })
    play.each(registers(), {}, function(h)
      for i = 1, 300 do h:push({ i % 7, (i * 7919) % 1009 }, 0) end
      h:watermark(2000)
      local last, count = -1, 0
      for _, element in ipairs(h:output()) do
        if element.value then
          assert.is_true(element.timestamp >= last)
          last, count = element.timestamp, count + 1
        end
      end
      assert.are.equal(300, count)
    end)
  end)

  it("S2: the watermark stands before the first callback", function()
    play.case(registers { on_timer = function(_, timestamp, ctx, out)
      out:collect(("%d:%d"):format(timestamp, ctx:timers():current_watermark()))
    end }, { key = first, ordered = true }, {
      { push = { "a", 10, 20 } },
      { wm = 50, "10:50@10 20:50@20 W(50)" },
    })
  end)

  it("S2: a timer that a callback registers for a time that has come fires in the same loop, in its place", function()
    local chained = registers { on_timer = function(_, timestamp, ctx, out)
      out:collect(timestamp)
      if timestamp == 10 then
        ctx:timers():register_event_time_timer(15)
        ctx:timers():register_event_time_timer(5)
        ctx:timers():register_event_time_timer(60)
      end
    end }
    play.case(chained, { key = first, ordered = true }, {
      { push = { "a", 10, 20 } },
      { wm = 50, "10@10 5@5 15@15 20@20 W(50)" },
      { wm = 60, "60@60 W(60)" },
    })
  end)

  it("S2: a timer registered in a callback for any time before the watermark fires before later ones of other keys", function()
    local chained = registers { on_timer = function(_, timestamp, ctx, out)
      out:collect(ctx:current_key() .. timestamp)
      if timestamp < 8 then ctx:timers():register_event_time_timer(timestamp + 2) end
    end }
    play.case(chained, { ordered = true }, {
      { push = { "a", 1 } }, { push = { "b", 2 } },
      { wm = 100, "a1@1 b2@2 a3@3 b4@4 a5@5 b6@6 a7@7 b8@8 a9@9 W(100)" },
    })
  end)

  it("S2c: a timer may register its own time again; it was removed before", function()
    local again = registers {
      state = { count = mt.value_state { default = 0 } },
      on_timer = function(self, timestamp, ctx, out)
        self.count:update(self.count:value() + 1)
        out:collect(self.count:value())
        if self.count:value() < 2500 then ctx:timers():register_event_time_timer(timestamp) end
      end,
    }
    play.each(again, {}, function(h)
      h:push({ "a", 10 }, 0)
      h:watermark(10)
      local output = h:output()
      assert.are.equal(2501, #output)
      assert.are.equal(2500, output[2500].value)
      assert.are.equal(10, output[2501].watermark)
      assert.are.equal(0, h:timer_count("event"))
    end)
  end)

  it("S3: a timer for the past waits for the next watermark", function()
    play.case(registers(), { breaks = false }, {
      { wm = 100, "W(100)" },
      { push = { "a", 50, 100 } },
      { wm = 100 }, { wm = 99 },
      { wm = 101, "a:50@50 a:100@100 W(101)" },
    })
  end)

  it("S3: the watermark that a source sends again after a restore is the next one", function()
    play.each(registers(), {}, function(h, backend)
      h:watermark(100)
      h:push({ "a", 50 }, 1)
      assert.are.equal("W(100)", play.words(h))
      local snapshot = h:snapshot()
      play.each(registers(), { restore = snapshot, backend = backend }, function(restored)
        assert.are.equal("", play.words(restored))
        restored:watermark(100)
        assert.are.equal("a:50@50 W(100)", play.words(restored))
      end)
    end)
  end)

  it("S4: registered often, a timer fires once; one deletion removes it", function()
    play.case(registers(), { key = first }, {
      { push = { "a", 10, 10, 10 } }, { push = { "a", 10 } }, { push = { "b", 10 } },
      { wm = 10, "a:10@10 b:10@10 W(10)" },
      { wm = 20, "W(20)" },
    })
    play.case(registers(), { breaks = false }, { -- one that has fired is no longer there
      { push = { "a", 10 } }, { wm = 10, "a:10@10 W(10)" }, { push = { "a", 10 } }, { wm = 20, "a:10@10 W(20)" }, { wm = 30, "W(30)" },
    })
    local toggles = step({
      process_element = function(_, value, ctx)
        for i = 2, #value do
          local time = value[i]
          if time > 0 then ctx:timers():register_event_time_timer(time) else ctx:timers():delete_event_time_timer(-time) end
        end
      end,
      on_timer = function(_, _, ctx, out) out:collect(ctx:current_key()) end,
    }, first)
    play.case(toggles, { key = first }, {
      { push = { "a", 5, 5, 5, -5 } },
      { push = { "b", 5, -5, 5 } },
      { push = { "c", 5 } }, { push = { "c", 5, -5 } }, { push = { "d", -5 } }, { push = { "e", -5, 5 } },
      { wm = 5, "b@5 e@5 W(5)" },
    })
  end)

  it("S4: both domains are apart", function()
    play.case(step {
      process_element = function(_, value, ctx)
        local timers = ctx:timers()
        timers:register_event_time_timer(value)
        timers:register_processing_time_timer(value)
        if value == 7 then timers:delete_event_time_timer(7) end
        if value == 8 then timers:delete_processing_time_timer(8) end
      end,
      on_timer = function(_, timestamp, ctx, out) out:collect(ctx:time_domain() .. timestamp) end,
    }, { key = same, ordered = false }, {
      { push = 6 }, { push = 7 }, { push = 8, check = function(h)
        assert.are.same({ 2, 2 }, { h:timer_count("event"), h:timer_count("processing") })
      end },
      { wm = 10, "event6@6 event8@8 W(10)" },
      { pt = 10, "processing6 processing7" },
    })
  end)

  it("S5: a deletion under another key does nothing", function()
    play.case(step({
      process_element = function(_, value, ctx)
        if value.delete then
          ctx:timers():delete_event_time_timer(value.delete)
        else
          ctx:timers():register_event_time_timer(value.time)
        end
      end,
      on_timer = function(_, timestamp, ctx, out) out:collect(ctx:current_key() .. timestamp) end,
    }, "key"), { key = function(value) return value.key end }, {
      { push = { key = "a", time = 10 } }, { push = { key = "b", time = 10 } },
      { push = { key = "b", delete = 10 } }, { push = { key = "c", delete = 10 } }, { push = { key = "a", delete = 11 } },
      { wm = 10, "a10@10 W(10)" },
    })
  end)

  it("S5: a timer may be deleted by the callback of another one of its time", function()
    play.case(registers {
      on_timer = function(_, timestamp, ctx, out)
        out:collect(timestamp)
        ctx:timers():delete_event_time_timer(timestamp + 1)
      end,
    }, { key = first, ordered = true }, {
      { push = { "a", 10, 11, 12, 13 } },
      { wm = 20, "10@10 12@12 W(20)" },
    })
  end)

  it("S6: all that a watermark brings about comes before it, through steps behind each other", function()
    local function chained(input)
      return input:key_by(first):process("first", {
        process_element = function(_, value, ctx) ctx:timers():register_event_time_timer(value[2]) end,
        on_timer = function(_, timestamp, ctx, out) out:collect { ctx:current_key(), timestamp + 5 } end,
      }):key_by(first):process("second", {
        process_element = function(_, value, ctx) ctx:timers():register_event_time_timer(value[2]) end,
        on_timer = function(_, timestamp, ctx, out)
          out:collect(("%s:%d:%d"):format(ctx:current_key(), timestamp, ctx:timers():current_watermark()))
        end,
      })
    end
    play.case(chained, { key = first }, {
      { push = { "a", 10 } }, { push = { "b", 20 } },
      { wm = 14, "W(14)" },
      { wm = 22, "a:15:22@15 W(22)" },
      { wm = 25, "b:25:25@25 W(25)" },
    })
  end)

  it("S6: steps without timers hand watermarks on behind the records before", function()
    play.case(function(input)
      return input:map(function(n) return n + 1 end):filter(function(n) return n % 2 == 0 end):key_by(same):process("p", function(n, _, out) out:collect(n) end)
    end, { key = same, ordered = true }, {
      { push = 1, at = 5, "2@5" }, { push = 2, at = 6 }, { wm = 6, "W(6)" }, { push = 3, "4" }, { wm = math.huge, "W(MAX)" },
    })
  end)

  it("S7: output has the record's time, the timer's in an event timer, none in a processing one", function()
    play.case(step {
      process_element = function(_, value, ctx, out)
        out:collect("in")
        out:collect("own", 1)
        ctx:timers():register_event_time_timer(value)
        ctx:timers():register_processing_time_timer(value)
      end,
      on_timer = function(_, _, ctx, out)
        out:collect(ctx:time_domain() .. ":" .. tostring(ctx:timestamp()))
        out:collect("own", 2)
      end,
    }, { key = same, ordered = true }, {
      { push = 10, at = 3, "in@3 own@1" },
      { push = 20, "in own@1" },
      { wm = 15, "event:10@10 own@2 W(15)" },
      { pt = 15, "processing:10 own@2" },
      { wm = 20, "event:20@20 own@2 W(20)" },
      { pt = 20, "processing:20 own@2" },
    })
  end)

  it("S9: the watermark is not state", function()
    play.each(step {
      process_element = function(_, _, ctx, out) out:collect(ctx:timers():current_watermark()) end,
    }, {}, function(h, backend)
      h:push(1)
      h:watermark(7)
      h:push(1)
      assert.are.equal("-inf W(7) 7", play.words(h))
      play.each(step {
        process_element = function(_, _, ctx, out) out:collect(ctx:timers():current_watermark()) end,
      }, { restore = h:snapshot(), backend = backend }, function(restored)
        restored:push(1)
        assert.are.equal("-inf", play.words(restored))
        restored:watermark(3)
        assert.are.equal("W(3)", play.words(restored))
      end)
    end)
  end)

  it("S9: timers go with their key groups, overdue processing timers fire when the step opens", function()
    local definition = {
      process_element = function(_, value, ctx)
        ctx:timers():register_event_time_timer(100)
        ctx:timers():register_processing_time_timer(value)
      end,
      on_timer = function(_, timestamp, ctx, out) out:collect(ctx:time_domain() .. timestamp) end,
    }
    play.each(step(definition), {}, function(h, backend)
      for i = 1, 5 do h:push(i * 10) end
      play.each(step(definition), { restore = h:snapshot(), backend = backend, processing_time = 30 }, function(restored)
        assert.are.equal("processing10 processing20 processing30", play.words(restored))
        assert.are.equal(2, restored:timer_count("processing"))
        assert.are.equal(5, restored:timer_count("event"))
      end)
    end)
  end)
end)

describe("processing timers", function()
  local function pings(extra)
    local definition = {
      process_element = function(_, value, ctx)
        for i = 2, #value do ctx:timers():register_processing_time_timer(value[i]) end
      end,
      on_timer = function(_, timestamp, ctx, out) out:collect(("%s:%s"):format(ctx:current_key(), timestamp)) end,
    }
    for name, field in pairs(extra or {}) do definition[name] = field end
    return step(definition, first)
  end

  it("S8: fire by the clock, in order, under test at clock >= T", function()
    play.case(pings(), { key = first, harness = { processing_time = 3 } }, {
      { push = { "a", 5, 9 } }, { push = { "b", 7 } },
      { pt = 4 },
      { pt = 5, "a:5" },
      { pt = 8, "b:7" },
      { pt = 100, "a:9" },
    })
  end)

  it("S8: one whose time has passed fires at once", function()
    play.case(pings(), { key = first, harness = { processing_time = 50 } }, {
      { push = { "a", 20, 51 }, "a:20" },
      { pt = 51, "a:51" },
    })
  end)

  it("S8: one of the millisecond that the clock shows waits until the clock is moved", function()
    local h = testing.harness(pings(), { processing_time = 50 })
    h:push { "a", 50 }
    assert.are.same({}, h:values())
    h:set_processing_time(50)
    assert.are.same({ "a:50" }, h:values())
    h:close()
  end)

  it("S18: one that is pending when the input ends never fires", function()
    play.case(pings(), { key = first, breaks = false }, {
      { push = { "a", 10 } }, { finish = true, "W(MAX) END" }, { pt = 100 },
    })
  end)

  it("S2, S8: one that a callback registers for a time that has come fires in the same loop", function()
    play.case(pings { on_timer = function(_, timestamp, ctx, out)
      out:collect(timestamp)
      if timestamp < 8 then ctx:timers():register_processing_time_timer(timestamp + 1) end
      assert(ctx:timers():current_processing_time() >= timestamp)
    end }, { key = first, ordered = true }, {
      { push = { "a", 5 } },
      { pt = 6, "5 6" },
      { pt = 7, "7" },
      { pt = 20, "8" },
    })
  end)

  it("S4, S5: once per key and time; deleted by its key alone", function()
    play.case(step({
      process_element = function(_, value, ctx)
        for i = 2, #value do
          if value[i] > 0 then ctx:timers():register_processing_time_timer(value[i])
          else ctx:timers():delete_processing_time_timer(-value[i]) end
        end
      end,
      on_timer = function(_, _, ctx, out) out:collect(ctx:current_key()) end,
    }, first), { key = first }, {
      { push = { "a", 5, 5 } }, { push = { "b", 5, -5 } }, { push = { "c", -5 } },
      { pt = 5, "a" },
      { pt = 6 },
    })
  end)
end)

describe("cases of keyed process functions", function()
  play.it(it, "T30: time stamps and watermarks are told", step {
    process_element = function(_, value, ctx, out)
      out:collect(("%dTIME:%d/TS:%s"):format(value, ctx:timers():current_watermark(), tostring(ctx:timestamp())))
    end,
  }, { key = same, ordered = true }, {
    { wm = 17, "W(17)" }, { push = 5, at = 12, "5TIME:17/TS:12@12" },
    { wm = 42, "W(42)" }, { push = 6, at = 13, "6TIME:42/TS:13@13" },
  })

  play.it(it, "T30: the clock is told, and no time stamp", step {
    process_element = function(_, value, ctx, out)
      out:collect(("%dTIME:%d/TS:%s"):format(value, ctx:timers():current_processing_time(), tostring(ctx:timestamp())))
    end,
  }, { key = same, ordered = true }, {
    { pt = 17 }, { push = 5, "5TIME:17/TS:nil" }, { pt = 42 }, { push = 6, "6TIME:42/TS:nil" },
  })

  local function in_five(domain, now)
    return step {
      process_element = function(_, value, ctx, out)
        local timers = ctx:timers()
        out:collect(value)
        timers["register_" .. domain .. "_time_timer"](timers, timers[now](timers) + 5)
      end,
      on_timer = function(_, _, _, out) out:collect(1777) end,
    }
  end

  play.it(it, "T31: an event timer", in_five("event", "current_watermark"), { key = same, ordered = true }, {
    { wm = 0, "W(0)" }, { push = 17, at = 42, "17@42" }, { wm = 5, "1777@5 W(5)" },
  })

  play.it(it, "T31: a processing timer", in_five("processing", "current_processing_time"), { key = same, ordered = true }, {
    { push = 17, "17" }, { pt = 5, "1777" },
  })

  local function with_state(domain, now)
    return step {
      state = { kept = mt.value_state() },
      process_element = function(self, value, ctx, out)
        local timers = ctx:timers()
        if self.kept:value() == nil then
          out:collect("INPUT:" .. value)
          self.kept:update(value)
          timers["register_" .. domain .. "_time_timer"](timers, timers[now](timers) + 5)
        else
          self.kept:clear()
          timers["delete_" .. domain .. "_time_timer"](timers, timers[now](timers) + 4)
        end
      end,
      on_timer = function(self, _, _, out) out:collect("STATE:" .. self.kept:value()) end,
    }
  end

  play.it(it, "T32: state and an event timer of each key", with_state("event", "current_watermark"), { key = same }, {
    { wm = 1, "W(1)" },
    { push = 17, at = 0, "INPUT:17@0" }, { push = 13, at = 0, "INPUT:13@0" },
    { wm = 2, "W(2)" },
    { push = 42, at = 1, "INPUT:42@1" }, { push = 13, at = 1 },
    { wm = 6, "STATE:17@6 W(6)" },
    { wm = 7, "STATE:42@7 W(7)" },
  })

  play.it(it, "T32: state and a processing timer of each key", with_state("processing", "current_processing_time"), { key = same }, {
    { pt = 1 },
    { push = 17, "INPUT:17" }, { push = 13, "INPUT:13" },
    { pt = 2 },
    { push = 13 }, { push = 42, "INPUT:42" },
    { pt = 6, "STATE:17" },
    { pt = 7, "STATE:42" },
  })

  play.it(it, "T33: timers and their deletions survive a snapshot", step {
    process_element = function(_, _, ctx)
      local timers = ctx:timers()
      timers:register_processing_time_timer(3)
      timers:register_event_time_timer(4)
      timers:register_processing_time_timer(5)
      timers:register_event_time_timer(6)
      timers:delete_processing_time_timer(3)
      timers:delete_event_time_timer(4)
    end,
    on_timer = function(_, _, ctx, out) out:collect((ctx:time_domain() == "event" and "EVENT" or "PROC") .. ":1777") end,
  }, { key = same, ordered = true }, {
    { push = 5, at = 12 }, { snap = true },
    { pt = 5, "PROC:1777" },
    { wm = 6, "EVENT:1777@6 W(6)" },
  })

  local sides = step {
    process_element = function(_, value, ctx, out)
      out:collect("IN:" .. value)
      ctx:output("A", value)
      ctx:output("B", value * 1LL)
      ctx:timers():register_event_time_timer(50)
      ctx:timers():register_processing_time_timer(50)
    end,
    on_timer = function(_, timestamp, ctx) ctx:output("A", ctx:time_domain() .. timestamp) end,
  }

  variants.it(it, "T34: side outputs have the time of what sent them", { key = same, sides = { "A", "B" } }, function(open)
    local h = open(sides)
    h:push(42, 17)
    h:expect("IN:42@17")
    h:expect_side("A", "42@17")
    h:expect_side("B", "42@17")
    h:watermark(50)
    h:expect_side("A", "event50@50")
    h:set_processing_time(50)
    h:expect_side("A", "processing50")
  end)

  it("T34: a missing tag is an error", function()
    play.each(step { process_element = function(_, value, ctx) ctx:output(nil, value) end }, {}, function(h)
      local ok, message = pcall(h.push, h, 1, 1)
      assert.is_false(ok)
      assert.is_truthy(message:find("ctx:output needs a tag", 1, true), message)
    end)
  end)
end)
