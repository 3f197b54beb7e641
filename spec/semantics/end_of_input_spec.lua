-- Ends: of channels, of inputs, of sources; and what is there after a restore.
local mt = require "moontide"
local play = require "support.play"
local testing = require "moontide.testing"

local function itself(value) return value end

local function step(definition)
  return function(input) return input:key_by(itself):process("ends", definition) end
end

local timed = {
  state = { kept = mt.value_state() },
  process_element = function(self, value, ctx)
    self.kept:update(value)
    ctx:timers():register_event_time_timer(value)
    ctx:timers():register_processing_time_timer(value)
  end,
  on_timer = function(self, timestamp, ctx, out)
    out:collect(("%s:%d:%d"):format(ctx:time_domain(), timestamp, self.kept:value()))
    self.kept:clear()
  end,
}

describe("the end of input", function()
  it("S18: fires every event timer in the order of time, then MAX, then the end", function()
    play.case(step(timed), { key = itself, ordered = false }, {
      { push = 30 }, { push = 10 }, { push = 20 }, { wm = 10, "event:10:10@10 W(10)" },
      { finish = true, "event:20:20@20 event:30:30@30 W(MAX) END" },
    })
    play.each(step(timed), {}, function(h)
      for _, time in ipairs { 30, 10, 20, 2 ^ 53, 7 } do h:push(time) end
      h:finish()
      local times = {}
      for _, element in ipairs(h:output()) do times[#times + 1] = element.timestamp end
      assert.are.same({ 7, 10, 20, 30, 2 ^ 53 }, times)
      assert.are.equal(0, h:timer_count("event"))
    end)
  end)

  it("S18: drops processing timers: the clock moves nothing after the end", function()
    play.case(step(timed), { key = itself }, {
      { push = 30 },
      { finish = true, "event:30:30@30 W(MAX) END", check = function(h) assert.are.equal(0, h:timer_count()) end },
      { pt = 1000 },
    })
  end)

  it("S18: a timer that a callback registers at the end fires as well; one for a later key does too", function()
    play.case(step {
      process_element = function(_, value, ctx) ctx:timers():register_event_time_timer(value) end,
      on_timer = function(_, timestamp, ctx, out)
        out:collect(timestamp)
        if timestamp < 3 then ctx:timers():register_event_time_timer(timestamp + 1) end
        if timestamp == 3 then ctx:timers():register_event_time_timer(math.huge) end
      end,
    }, { key = itself, ordered = true }, { { push = 1 }, { finish = true, "1@1 2@2 3@3 inf@MAX W(MAX) END" } })
  end)

  it("S18: only when all channels of all inputs have ended", function()
    play.case(function(one, two) return one:union(two):key_by(itself):process("ends", timed) end,
      { key = itself, harness = { inputs = 2, channels = 2 } }, {
        { push = 5 }, { finish = true }, { channel = 2, finish = true }, { input = 2, wm = 3 }, { input = 2, channel = 2, wm = 3, "W(3)" },
        { input = 2, finish = true }, { input = 2, channel = 2, push = 7 },
        { input = 2, channel = 2, finish = true, "event:5:5@5 event:7:7@7 W(MAX) END" },
      })
  end)

  it("S18: watermark MAX fires them, though records may follow; the end comes after it", function()
    play.case(step(timed), { key = itself }, {
      { push = 5 }, { wm = math.huge, "event:5:5@5 W(MAX)" }, { finish = true, "END" },
    })
  end)

  it("S18, S18b: closing without an end fires nothing", function()
    local fired = 0
    for _, backend in ipairs { "rocksdb", "memory" } do
      local h = testing.harness(step {
        process_element = function(_, value, ctx) ctx:timers():register_event_time_timer(value) end,
        on_timer = function() fired = fired + 1 end,
      }, { backend = backend })
      h:push(5)
      h:close()
    end
    assert.are.equal(0, fired)
  end)

  it("S18b: a snapshot without an end keeps the timers, one after it has none", function()
    play.each(step(timed), {}, function(h, backend)
      h:push(5)
      h:set_processing_time(4)
      local before = h:snapshot()
      h:finish()
      local after = h:snapshot()
      assert.are.equal(0, h:timer_count("event"))
      play.each(step(timed), { restore = before, backend = backend, processing_time = 4 }, function(restored)
        assert.are.equal(1, restored:timer_count("event"))
        restored:watermark(5)
        assert.are.equal("event:5:5@5 W(5)", play.words(restored))
      end)
      play.each(step(timed), { restore = after, backend = backend, processing_time = 4 }, function(restored)
        assert.are.equal(0, restored:timer_count("event"))
        assert.are.equal("W(MAX) END", play.words(restored))
      end)
    end)
  end)

  it("S18c: a channel that had finished stays so after a restore and holds nothing back", function()
    play.each(function(one, two) return one:union(two):key_by(itself):process("ends", timed) end, { inputs = 2 }, function(h, backend)
      h.inputs[1]:push(5)
      h.inputs[1]:finish()
      assert.are.equal("", play.words(h))
      local snapshot = h:snapshot()
      play.each(function(one, two) return one:union(two):key_by(itself):process("ends", timed) end,
        { inputs = 2, restore = snapshot, backend = backend }, function(restored)
          assert.are.equal("", play.words(restored))
          restored.inputs[2]:watermark(9)
          assert.are.equal("event:5:5@5 W(9)", play.words(restored))
          local ok = pcall(restored.inputs[1].push, restored.inputs[1], 1)
          assert.is_false(ok)
          restored.inputs[2]:finish()
          assert.are.equal("W(MAX) END", play.words(restored))
        end)
    end)
  end)

  it("S18c: MAX and the end are told again after a restore, through any number of steps", function()
    local function long(input)
      local stream = input:map(itself)
      for i = 1, 5 do
        stream = stream:key_by(itself):process("p" .. i, {
          process_element = function(_, value, _, out) out:collect(value) end, on_timer = function() end,
        })
      end
      return stream:assign_timestamps { fn = itself }
    end
    play.each(long, {}, function(h, backend)
      h:push(1)
      h:finish()
      assert.are.equal("1@1 W(0) W(MAX) END", play.words(h))
      play.each(long, { restore = h:snapshot(), backend = backend }, function(restored)
        local words = play.words(restored)
        assert.is_truthy(words == "W(MAX) END" or words == "W(0) W(MAX) END", words)
      end)
    end)
  end)

  it("F2: an idle input that ends is not forgotten", function()
    play.case(step(timed), { key = itself }, {
      { push = 5 }, { idle = true, "IDLE" }, { finish = true, "ACTIVE event:5:5@5 W(MAX) END" },
    })
  end)

  it("F1: a finished channel and idle ones: timers wait for MAX until all have ended", function()
    play.case(step(timed), { harness = { channels = 2 } }, {
      { push = 50 }, { finish = true }, { channel = 2, wm = 3, "W(3)" }, { channel = 2, idle = true, "IDLE" },
      { channel = 2, push = 20, at = 4, "ACTIVE" }, { channel = 2, wm = 25, "event:20:20@20 W(25)" },
      { channel = 2, finish = true, "event:50:50@50 W(MAX) END" },
    })
  end)
end)

describe("one thread", function()
  it("S10: callbacks of a subtask never run within each other", function()
    local inside, most = 0, 0
    local function alone(fn)
      return function(...)
        inside = inside + 1
        most = math.max(most, inside)
        fn(...)
        inside = inside - 1
      end
    end
    local definition = {
      process_element = alone(function(_, value, ctx, out)
        ctx:timers():register_event_time_timer(value)
        ctx:timers():register_processing_time_timer(value)
        for i = 1, 2000 do out:collect(i + value) end
      end),
      on_timer = alone(function(_, timestamp, _, out) for i = 1, 2000 do out:collect(i + timestamp) end end),
    }
    play.each(function(input)
      return input:key_by(itself):process("first", definition):key_by(itself):process("second", {
        process_element = alone(function(_, value, ctx) ctx:timers():register_event_time_timer(value) end),
        on_timer = alone(function(_, _, _, out) out:collect(1) end),
      })
    end, {}, function(h)
      h:push(5)
      h:set_processing_time(6)
      h:watermark(7)
      h:snapshot()
      h:finish()
    end)
    assert.are.equal(1, most)
  end)
end)
