local mt = require "moontide"
local play = require "support.play"
local testing = require "moontide.testing"

local function same(input) return input end
local function union(...)
  local first = ...
  return first:union(select(2, ...))
end

-- `channels` channels of one input, and what the valve over them says.
local function valve(channels, steps, breaks)
  play.case(same, { harness = { channels = channels }, breaks = breaks }, steps)
end

-- The same steps on inputs, as those of a union: each is a channel.
local function as_inputs(steps)
  local through_inputs = {}
  for i, step in ipairs(steps) do
    local moved = {}
    for name, value in pairs(step) do moved[name] = value end
    moved.input, moved.channel = step.channel, nil
    through_inputs[i] = moved
  end
  return through_inputs
end

local function union_valve(inputs, steps, breaks)
  play.case(union, { harness = { inputs = inputs }, breaks = breaks }, as_inputs(steps))
end

-- `breaks = false`: which channels have to catch up is no state, a restore would begin with none.
local function both(channels, steps, breaks)
  valve(channels, steps, breaks)
  if channels > 1 then union_valve(channels, steps, breaks) end
end

local function wm(channel, time, out) return { channel = channel, wm = time, out } end
local function idle(channel, out) return { channel = channel, idle = true, out } end
local function active(channel, out) return { channel = channel, active = true, out } end
local function finish(channel, out) return { channel = channel, finish = true, out } end

describe("watermarks of channels", function()
  it("S11: what a watermark does not exclude is passed on all the same", function()
    valve(1, { wm(1, 10, "W(10)"), { push = "late", at = 3, "late@3" }, { push = "none", "none" } })
  end)

  play.it(it, "T46, S12: one channel: rising watermarks, idleness and back", same, {}, {
    wm(1, 25, "W(25)"), wm(1, 18), wm(1, 25), wm(1, 42, "W(42)"),
    idle(1, "IDLE"), idle(1), active(1, "ACTIVE"), active(1),
    idle(1, "IDLE"), wm(1, 50), active(1, "ACTIVE"), wm(1, 50, "W(50)"),
  })

  local three = {
    wm(1, 0), wm(2, 0), wm(3, 0, "W(0)"),
    wm(1, 12), wm(3, 8), wm(3, 10), wm(2, 15, "W(10)"), wm(3, 17, "W(12)"), wm(1, 20, "W(15)"),
  }
  play.it(it, "T47, S12: three channels: the lowest, only when it rises", same, { harness = { channels = 3 } }, three)
  play.it(it, "T47, S12: three streams of a union", union, { harness = { inputs = 3 } }, as_inputs(three))

  it("S12: a lower watermark of a channel is ignored, not taken for its own", function()
    both(2, { wm(1, 10), wm(2, 12, "W(10)"), wm(1, 5), wm(2, 14), wm(1, 11, "W(11)") })
  end)

  it("S13: one silent channel holds time back until it speaks, is idle or ends", function()
    both(2, { wm(1, 10), wm(1, 20), wm(2, 5, "W(5)") })
    both(2, { wm(1, 10), wm(1, 20), idle(2, "W(20)") })
    both(2, { wm(1, 10), wm(1, 20), finish(2, "W(20)") })
  end)

  it("S14: an idle channel leaves the lowest, and what that frees comes at once", function()
    both(3, { wm(1, 10), wm(2, 20), wm(3, 30, "W(10)"), idle(1, "W(20)"), wm(3, 40), wm(2, 35, "W(35)") })
  end)

  it("S14: watermarks of an idle channel are dropped; what it had stays", function()
    both(2, {
      wm(1, 10), wm(2, 5, "W(5)"), idle(2, "W(10)"), wm(2, 30), wm(1, 12, "W(12)"),
      active(2), wm(1, 20, "W(20)"), -- it stands at 5 still, so it is not in the lowest
      wm(2, 20), wm(1, 25), wm(2, 25, "W(25)"),
    }, false)
  end)

  it("S15: a channel that is back counts when it has caught up with the output", function()
    both(2, {
      wm(1, 25), wm(2, 10, "W(10)"), idle(2, "W(25)"), wm(1, 30, "W(30)"),
      active(2), wm(2, 20), wm(1, 35, "W(35)"), wm(2, 35), wm(1, 50), wm(2, 40, "W(40)"),
    }, false)
  end)

  it("S15: one that comes back ahead of the output counts at once", function()
    both(2, { wm(1, 10), wm(2, 20, "W(10)"), idle(2), active(2), wm(1, 30, "W(20)") })
    both(2, { wm(1, 10), wm(2, 10, "W(10)"), idle(2), active(2), wm(1, 30), wm(2, 20, "W(20)") })
  end)

  it("S12, S15: one that comes back ahead, where no other counts, is the lowest at once", function()
    both(3, { wm(1, 10), wm(2, 7), idle(3, "W(7)"), active(3), idle(1), idle(2), active(1, "W(10)"), idle(3) }, false)
    both(3, {
      wm(1, 10), wm(2, 20), wm(3, 30, "W(10)"), idle(3), idle(1, "W(20)"), active(1), idle(2), active(3, "W(30)"), idle(1), idle(3, "IDLE"),
    }, false)
    both(3, { wm(1, 40), wm(2, 5), wm(3, 30, "W(5)"), idle(2, "W(30)"), idle(1), active(2), idle(3), idle(2, "IDLE"), active(1, "ACTIVE W(40)") }, false)
  end)

  it("S14: a record makes its channel active; it is told before the record", function()
    valve(1, { wm(1, 5, "W(5)"), idle(1, "IDLE"), { push = "a", at = 7, "ACTIVE a@7" } })
    both(2, {
      wm(1, 10), wm(2, 5, "W(5)"), idle(2, "W(10)"), idle(1, "IDLE"),
      { channel = 2, push = "a", at = 3, "ACTIVE a@3" }, wm(2, 11, "W(11)"),
    })
  end)

  it("S16: all idle: the last one held the output, so the highest is flushed, then IDLE", function()
    both(3, {
      wm(1, 5), wm(2, 7), wm(3, 3, "W(3)"), idle(3, "W(5)"), idle(2), idle(1, "W(7) IDLE"), active(1, "ACTIVE"), wm(1, 10, "W(10)"),
    })
    both(2, { wm(1, 5), wm(2, 7, "W(5)"), idle(2), idle(1, "W(7) IDLE") })
  end)

  it("S16: all idle: a last one that did not hold the output leaves only IDLE", function()
    both(2, { wm(1, 10), wm(2, 3, "W(3)"), idle(1), active(1), idle(2, "W(10)"), wm(1, 10), idle(1, "IDLE") })
    both(2, { wm(1, 10), wm(2, 5, "W(5)"), idle(2, "W(10)"), active(2), idle(1), idle(2, "IDLE") }, false)
  end)

  it("S16: all idle: a last one that is behind the output leaves only IDLE, though another was ahead of it", function()
    both(3, { wm(1, 40), wm(2, 5), wm(3, 30, "W(5)"), idle(2, "W(30)"), idle(1), active(2), idle(3), idle(2, "IDLE") }, false)
  end)

  it("S16: where all active channels are behind, nothing comes out", function()
    both(2, { wm(1, 10), wm(2, 5, "W(5)"), idle(2, "W(10)"), active(2), idle(1), wm(2, 8), wm(2, 12, "W(12)") }, false)
  end)

  it("S16: a channel that ends last among idle ones lets the highest of those go, not MAX", function()
    both(3, { wm(1, 10), wm(2, 20), wm(3, 5, "W(5)"), idle(2), finish(3, "W(10)"), idle(1, "W(20) IDLE") })
    both(3, { wm(1, 10), wm(2, 20), wm(3, 5, "W(5)"), idle(1), idle(2), finish(3, "W(20) IDLE") })
    both(3, { wm(1, 10), wm(2, 20), wm(3, 25, "W(10)"), idle(1, "W(20)"), idle(2, "W(25)"), finish(3, "IDLE") })
  end)

  it("S16, F1: a finished channel counts neither in the lowest nor in the highest", function()
    both(3, { wm(1, 10), wm(2, 12), wm(3, 15, "W(10)"), finish(3), wm(2, 20), idle(1, "W(20)"), idle(2, "IDLE"), active(2, "ACTIVE"), wm(2, 21, "W(21)") })
    both(3, { wm(1, 50), wm(2, 10), wm(3, 5, "W(5)"), finish(1), idle(2), idle(3, "W(10) IDLE") })
  end)

  it("F1: MAX comes only when all channels have finished", function()
    both(2, { finish(1), wm(2, 7, "W(7)"), idle(2, "IDLE"), active(2, "ACTIVE"), { channel = 2, push = "a", at = 8, "a@8" }, wm(2, 8, "W(8)"), finish(2, "W(MAX) END") })
    both(2, { wm(1, 3), finish(1), finish(2, "W(MAX) END") })
  end)

  it("F2: an end of an idle channel is no dropped MAX: ACTIVE, MAX", function()
    both(1, { wm(1, 5, "W(5)"), idle(1, "IDLE"), finish(1, "ACTIVE W(MAX) END") })
    both(2, { wm(1, 5), idle(1), idle(2, "W(5) IDLE"), finish(1), finish(2, "ACTIVE W(MAX) END") })
  end)

  it("S16: watermark MAX on one of several channels is a watermark like any other", function()
    both(2, { wm(1, math.huge), wm(2, 7, "W(7)"), wm(2, math.huge, "W(MAX)"), finish(1), finish(2, "END") })
  end)

  it("S12: any order of the same watermarks comes to the same end, and output only rises", function()
    local seed = os.time() + math.floor(os.clock() * 1e6)
    math.randomseed(seed)
    for round = 1, 30 do
      local channels = math.random(1, 4)
      local h = testing.harness(same, { channels = channels })
      local last, stand = -math.huge, {}
      for c = 1, channels do stand[c] = -math.huge end
      for _ = 1, 60 do
        local c, time = math.random(channels), math.random(0, 200)
        stand[c] = math.max(stand[c], time)
        h.inputs[1].channels[c]:watermark(time)
        local lowest = math.huge
        for i = 1, channels do lowest = math.min(lowest, stand[i]) end
        local words = lowest > last and ("W(%d)"):format(lowest) or ""
        assert.are.equal(words, play.words(h), ("seed %d, round %d"):format(seed, round))
        last = lowest
      end
      h:close()
    end
  end)
end)

describe("watermarks of two inputs", function()
  local function connected(one, two)
    return one:key_by(function(v) return v end):connect(two:key_by(function(v) return v end)):process("both", {
      process_element1 = function(_, value, ctx, out)
        out:collect("1:" .. value)
        ctx:timers():register_event_time_timer(value)
      end,
      process_element2 = function(_, value, ctx, out)
        out:collect("2:" .. value)
        ctx:timers():register_event_time_timer(value)
      end,
      on_timer = function(_, timestamp, ctx, out) out:collect(("T%d:%d"):format(timestamp, ctx:timers():current_watermark())) end,
    })
  end
  local options = { harness = { inputs = 2 }, key = function(value) return value end }

  local function at(input, step)
    step.input = input
    return step
  end

  it("S18d: time of the step is the lowest of both inputs", function()
    play.case(connected, options, {
      at(1, { push = 10, at = 1, "1:10@1" }), at(2, { push = 20, at = 1, "2:20@1" }),
      at(1, { wm = 15 }), at(2, { wm = 12, "T10:12@10 W(12)" }), at(2, { wm = 30, "W(15)" }),
      at(1, { wm = 25, "T20:25@20 W(25)" }),
    })
  end)

  it("S18d: an idle input does not hold time back; both idle: the step is", function()
    play.case(connected, { harness = options.harness }, { -- a record that ends idleness does so in one subtask
      at(1, { push = 10, at = 1, "1:10@1" }), at(1, { wm = 15 }), at(2, { idle = true, "T10:15@10 W(15)" }),
      at(1, { wm = 16, "W(16)" }), at(1, { idle = true, "IDLE" }),
      at(2, { push = 3, at = 4, "ACTIVE 2:3@4" }), at(2, { wm = 17, "T3:17@3 W(17)" }),
    })
  end)

  it("S18d: channels within an input, then inputs", function()
    play.case(connected, { harness = { inputs = 2, channels = 2 }, key = options.key }, {
      { input = 1, channel = 1, wm = 10 }, { input = 1, channel = 2, wm = 8 }, { input = 2, channel = 1, wm = 9 },
      { input = 2, channel = 2, wm = 20, "W(8)" }, { input = 1, channel = 2, wm = 30, "W(9)" },
      { input = 2, channel = 1, idle = true, "W(10)" }, { input = 2, channel = 2, idle = true },
      { input = 1, channel = 1, wm = 40, "W(30)" },
    })
  end)

  it("S18d, F1: an input that has ended leaves time to the other", function()
    play.case(connected, options, {
      at(1, { push = 10, at = 1, "1:10@1" }), at(1, { finish = true }), at(2, { wm = 5, "W(5)" }), at(2, { idle = true, "IDLE" }),
      at(2, { active = true, "ACTIVE" }), at(2, { wm = 12, "T10:12@10 W(12)" }), at(2, { finish = true, "W(MAX) END" }),
    })
  end)
end)

describe("assign_timestamps", function()
  local function bounded(extra)
    return function(input)
      local options = { fn = function(value) return value end, max_out_of_orderness = 10 }
      for name, value in pairs(extra or {}) do options[name] = value end
      return input:assign_timestamps(options)
    end
  end

  -- Two assigners of a union, each after one record, idle in the same millisecond.
  local function cases_of_two(first, second)
    play.each(function(one, two)
      local options = { fn = function(value) return value end, max_out_of_orderness = 9, idle_timeout = 10 }
      return one:assign_timestamps(options):union(two:assign_timestamps(options))
    end, { inputs = 2 }, function(h)
      h.inputs[1]:push(first)
      h.inputs[2]:push(second)
      assert.are.equal(("%d@%d %d@%d W(4)"):format(first, first, second, second), play.words(h))
      h:set_processing_time(11)
      assert.are.equal("W(5) IDLE", play.words(h))
    end)
  end

  play.it(it, "T51: bounded out of orderness", bounded(), {}, {
    { pt = 100000 }, -- no event, no watermark
    { push = 1337, "1337@1337 W(1326)" },
    { push = 12345, "12345@12345 W(12334)" }, { push = 12300, "12300@12300" }, { push = 12340, "12340@12340" }, { push = 12280, "12280@12280" },
  })

  play.it(it, "T51: a field has the time too, in its unit", function(input)
    return input:assign_timestamps { field = "t", unit = "s", max_out_of_orderness = "10ms" }
  end, {}, {
    { push = { t = 2 }, "{t=2}@2000 W(1989)" }, { push = { t = 1.5 }, "{t=1.5}@1500" },
  })

  it("S9: generator and last watermark are state: a replay is late where the first run was", function()
    play.each(bounded(), {}, function(h, backend)
      h:push(100)
      h:push(50)
      assert.are.equal("100@100 W(89) 50@50", play.words(h))
      play.each(bounded(), { restore = h:snapshot(), backend = backend }, function(restored)
        restored:push(60)
        assert.are.equal("W(89) 60@60", play.words(restored))
        restored:push(101)
        assert.are.equal("101@101 W(90)", play.words(restored))
      end)
    end)
  end)

  it("S17: an input is idle when nothing has come for longer than the timeout", function()
    play.each(bounded { idle_timeout = 10 }, {}, function(h)
      h:push(100)
      assert.are.equal("100@100 W(89)", play.words(h))
      h:set_processing_time(10)
      assert.are.equal("", play.words(h))
      h:set_processing_time(11)
      assert.are.equal("IDLE", play.words(h))
      h:push(200)
      assert.are.equal("ACTIVE 200@200 W(189)", play.words(h))
      h:set_processing_time(21)
      assert.are.equal("", play.words(h))
      h:set_processing_time(22)
      assert.are.equal("IDLE", play.words(h))
    end)
  end)

  it("F4: two that fall idle at one look at the clock come to the same, in either order", function()
    for _, times in ipairs { { 14, 15 }, { 15, 14 } } do
      cases_of_two(times[1], times[2])
    end
  end)

  it("S17: an input that never had an event counts from its opening", function()
    play.each(bounded { idle_timeout = 10 }, { processing_time = 1000 }, function(h)
      h:set_processing_time(1010)
      assert.are.equal("", play.words(h))
      h:set_processing_time(1011)
      assert.are.equal("IDLE", play.words(h))
    end)
  end)

  it("S17: zero and negative timeouts are errors", function()
    for _, timeout in ipairs { 0, -1, "0s" } do
      local ok, message = pcall(testing.harness, bounded { idle_timeout = timeout })
      assert.is_false(ok)
      assert.is_truthy(message:find("idle_timeout", 1, true), message)
    end
  end)

  it("S17: what the function answers with a record ends idleness as the record does", function()
    play.each(function(input)
      return input:assign_timestamps { fn = function(v) return v, v - 1 end, idle_timeout = 10 }
    end, {}, function(h)
      h:push(5)
      h:set_processing_time(11)
      h:push(9)
      assert.are.equal("5@5 W(4) IDLE ACTIVE 9@9 W(8)", play.words(h))
    end)
  end)

  play.it(it, "T51: punctuated: the function's watermarks alone, where no bound was given", function(input)
    return input:assign_timestamps { fn = function(v) return v.t, v.w end }
  end, {}, {
    { push = { t = 5, w = 3 }, "{t=5,w=3}@5 W(3)" }, { push = { t = 9 }, "{t=9}@9" }, { push = { t = 7, w = 2 }, "{t=7,w=2}@7" },
    { push = { t = 8, w = 8 }, "{t=8,w=8}@8 W(8)" },
  })

  it("S12: watermarks from upstream are ignored, but for MAX", function()
    play.case(bounded(), { breaks = false }, {
      { wm = 5000 }, { push = 100, "100@100 W(89)" }, { wm = 6000 }, { idle = true }, { push = 101, "101@101 W(90)" }, { wm = math.huge, "W(MAX)" },
    })
  end)

  it("S12: what comes after MAX is passed on; time does not go back", function()
    play.case(bounded(), { breaks = false }, { { wm = math.huge, "W(MAX)" }, { push = 100, at = 3, "100@100" } })
  end)

  it("S18: the end of input sends the last bounded watermark, then MAX", function()
    play.case(bounded { emit = 100 }, { breaks = false }, {
      { push = 100, "100@100" }, { push = 90, "90@90" }, { finish = true, "W(89) W(MAX) END" },
    })
  end)

  it("F1: its end is no watermark for a step behind it that has other inputs", function()
    play.case(function(assigned, other) return bounded()(assigned):union(other) end, { harness = { inputs = 2 }, breaks = false }, {
      { input = 1, push = 100, "100@100" }, { input = 2, wm = 50, "W(50)" }, { input = 2, idle = true, "W(89)" },
      { input = 1, finish = true, "IDLE" }, { input = 2, active = true, "ACTIVE" }, { input = 2, wm = 95, "W(95)" },
      { input = 2, finish = true, "W(MAX) END" },
    })
  end)

  it("emit: a watermark after so many records, counted through a restore; and when the input waits", function()
    play.each(bounded { emit = 3 }, {}, function(h, backend)
      for i = 1, 4 do h:push(i * 100) end
      assert.are.equal("100@100 200@200 300@300 W(289) 400@400", play.words(h))
      h:set_processing_time(199)
      assert.are.equal("", play.words(h))
      play.each(bounded { emit = 3 }, { restore = h:snapshot(), backend = backend, processing_time = 199 }, function(restored)
        restored:push(500)
        restored:push(600)
        assert.are.equal("W(289) 500@500 600@600 W(589)", play.words(restored))
      end)
      h:set_processing_time(200)
      assert.are.equal("W(389)", play.words(h))
    end)
  end)

  it("refuses what is no time, record by record", function()
    for _, bad in ipairs { 1.5, 2 ^ 53 + 2, "x", 0 / 0 } do
      play.each(function(input)
        return input:assign_timestamps { fn = function(v) return v.t end, on_error = "skip" }
      end, {}, function(h)
        h:push { t = bad, bad = true }
        h:push { t = 3 }
        h:push { bad = true }
        assert.are.equal("{t=3}@3 W(2)", play.words(h))
      end)
      play.each(function(input) return input:assign_timestamps { fn = function(v) return v.t end } end, {}, function(h)
        local ok, message = pcall(h.push, h, { t = bad })
        assert.is_false(ok)
        assert.is_truthy(message:find("whole number of milliseconds", 1, true), message)
      end)
    end
  end)

  it("a step of rules and keys behind it: time arrives by the assigner", function()
    play.each(function(input)
      return input:assign_timestamps { field = "t", max_out_of_orderness = 0 }:key_by("k"):process("p", {
        state = { n = mt.value_state { default = 0 } },
        process_element = function(self, value, ctx)
          self.n:update(self.n:value() + 1)
          ctx:timers():register_event_time_timer(ctx:timestamp() + value.wait)
        end,
        on_timer = function(self, timestamp, ctx, out) out:collect(("%s:%d:%d"):format(ctx:current_key(), timestamp, self.n:value())) end,
      })
    end, {}, function(h)
      h:push { k = "a", t = 10, wait = 5 }
      h:push { k = "b", t = 14, wait = 1 }
      h:push { k = "a", t = 16, wait = 100 }
      assert.are.equal("W(9) W(13) a:15:2@15 b:15:1@15 W(15)", play.words(h))
    end)
  end)
end)
