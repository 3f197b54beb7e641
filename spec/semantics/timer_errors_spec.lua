-- Timers whose callbacks fail, times that are none, and timers where there can be none.
local mt = require "moontide"
local play = require "support.play"
local testing = require "moontide.testing"

local function first(value) return value[1] end

local function keyed(definition)
  return function(input) return input:key_by(first):process("timed", definition) end
end

local function fails(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok, "it did not fail")
  assert.is_truthy(tostring(message):find(pattern, 1, true), tostring(message))
  return message
end

-- Timers at 10, 20 and 30; the callback at 20 writes, emits, registers and deletes, and then fails once.
local function failing(on_error)
  local attempts = { count = 0 }
  return attempts, {
    on_error = on_error,
    state = { value = mt.value_state { default = 0 }, map = mt.map_state(), list = mt.list_state() },
    process_element = function(_, value, ctx)
      for i = 2, #value do ctx:timers():register_event_time_timer(value[i]) end
    end,
    on_timer = function(self, timestamp, ctx, out)
      out:collect(("%s:%d:%d"):format(ctx:current_key(), timestamp, self.value:value()))
      self.value:update(self.value:value() + 1)
      if timestamp ~= 20 then return end
      attempts.count = attempts.count + 1
      self.map:put("x", 1)
      self.list:add(1)
      ctx:output("side", timestamp)
      ctx:timers():delete_event_time_timer(30)
      ctx:timers():register_event_time_timer(15)
      ctx:timers():register_event_time_timer(25)
      ctx:timers():register_event_time_timer(1000)
      ctx:timers():register_processing_time_timer(1000)
      for i = 1, 3000 do out:collect(i) end
      error("at twenty")
    end,
  }
end

describe("a callback of a timer that fails", function()
  it("S2: under skip takes back all that it did; the timer counts as fired", function()
    local attempts, definition = failing("skip")
    play.each(keyed(definition), {}, function(h)
      attempts.count = 0
      h:push({ "a", 10, 20, 30 }, 1)
      h:push({ "b", 20, 21 }, 1)
      h:watermark(50)
      assert.are.equal("a:10:0@10 b:21:0@21 a:30:1@30 W(50)", play.words(h))
      assert.are.equal(2, attempts.count)
      assert.are.same({}, h:side_output("side"))
      assert.are.equal(0, h:timer_count("event"))
      assert.are.equal(0, h:timer_count("processing"))
      assert.are.equal(2, h:state_size())
    end)
  end)

  it("S2: the same after a restore between registering and firing", function()
    local _, definition = failing("skip")
    play.case(keyed(definition), { key = first }, {
      { push = { "a", 10, 20, 30 } }, { push = { "b", 20, 21 } },
      { wm = 20, "a:10:0@10 W(20)" },
      { wm = 50, "b:21:0@21 a:30:1@30 W(50)" },
      { wm = 2000, "W(2000)" }, { pt = 2000 },
    })
  end)

  it("S2: an own time registered again in a failing callback is taken back too", function()
    play.each(keyed {
      on_error = "skip",
      process_element = function(_, value, ctx) ctx:timers():register_event_time_timer(value[2]) end,
      on_timer = function(_, timestamp, ctx)
        ctx:timers():register_event_time_timer(timestamp)
        error("always")
      end,
    }, {}, function(h)
      h:push({ "a", 5 }, 1)
      h:watermark(5)
      h:watermark(6)
      assert.are.equal("W(5) W(6)", play.words(h))
      assert.are.equal(0, h:timer_count("event"))
    end)
  end)

  it("S2: what process_element registered and deleted is taken back where it fails", function()
    play.each(keyed {
      on_error = "skip",
      process_element = function(_, value, ctx)
        for i = 3, #value do
          if value[i] > 0 then ctx:timers():register_event_time_timer(value[i]) else ctx:timers():delete_event_time_timer(-value[i]) end
        end
        if value[2] then error("asked to") end
      end,
      on_timer = function(_, timestamp, ctx, out) out:collect(ctx:current_key() .. timestamp) end,
    }, {}, function(h)
      h:push({ "a", false, 5, 6 })
      h:push({ "a", true, -5, 7, 6, -6 })
      h:push({ "a", true, 5, -5 })
      h:push({ "b", true, 5 })
      h:push({ "b", false, 9 })
      h:watermark(8)
      assert.are.equal("a5@5 a6@6 W(8)", play.words(h))
      h:watermark(9)
      assert.are.equal("b9@9 W(9)", play.words(h))
    end)
  end)

  it("sends a dead letter with the key, the step and the error", function()
    local letters = {}
    local sink = mt.sink { write = function(_, letter) letters[#letters + 1] = letter end }
    play.each(keyed {
      on_error = { dead_letter = sink },
      process_element = function(_, value, ctx) ctx:timers():register_event_time_timer(value[2]) end,
      on_timer = function(_, timestamp, ctx, out)
        if timestamp == 20 then error("at twenty") end
        out:collect(ctx:current_key() .. timestamp)
      end,
    }, {}, function(h)
      letters = {}
      h:push({ "a", 20 }, 1)
      h:push({ "b", 30 }, 1)
      h:watermark(30)
      assert.are.equal("b30@30 W(30)", play.words(h))
      h:finish()
      assert.are.equal(1, #letters)
      assert.are.equal("timed", letters[1].step)
      assert.are.equal("a", letters[1].key)
      assert.is_truthy(letters[1].error:find("at twenty", 1, true))
    end)
  end)

  it("names callback, key and time where the policy is to fail", function()
    local _, definition = failing(nil)
    play.each(keyed(definition), {}, function(h)
      h:push({ "acct", 20 }, 1)
      local message = fails("at twenty", h.watermark, h, 60)
      assert.is_truthy(message:find("in on_timer", 1, true), message)
      assert.is_truthy(message:find('key     "acct"     time 1970-01-01T00:00:00.020Z', 1, true), message)
      assert.is_truthy(message:find("record  (none: an event time timer)", 1, true), message)
    end)
  end)
end)

describe("times of timers", function()
  local function one(call)
    return keyed {
      process_element = function(_, value, ctx) call(ctx:timers(), value[2]) end,
      on_timer = function(_, timestamp, ctx, out) out:collect(("%s:%s"):format(ctx:time_domain(), tostring(timestamp))) end,
    }
  end

  it("L2: what is no whole number of milliseconds within 2^53 is an error at the author's line", function()
    for _, name in ipairs { "register_event_time_timer", "register_processing_time_timer", "delete_event_time_timer", "delete_processing_time_timer" } do
      local build = one(function(timers, time) timers[name](timers, time) end)
      for _, bad in ipairs { 1.5, 2 ^ 53 + 2, -2 ^ 53 - 2, 0 / 0, "12", false, {} } do
        local h = testing.harness(build, { backend = "memory" })
        local message = fails("a time stamp is a whole number of milliseconds within 2^53, or math.huge; got", h.push, h, { "a", bad })
        assert.is_truthy(message:find("timer_errors_spec.lua:%d+: in process_element"), message)
        h:close()
      end
      local h = testing.harness(build, { backend = "memory" })
      fails("got nil", h.push, h, { "a" })
      h:close()
    end
  end)

  it("L2: the same of the time of what is collected and sent to the side, and of what a test pushes", function()
    for _, emit in ipairs {
      function(out) out:collect(1, 1.5) end,
      function(_, ctx) ctx:output("side", 1, 2 ^ 53 + 2) end,
      function(out) out:collect(1, "12") end,
    } do
      local h = testing.harness(keyed { process_element = function(_, _, ctx, out) emit(out, ctx) end }, { backend = "memory" })
      local message = fails("a time stamp is a whole number of milliseconds within 2^53, or math.huge; got", h.push, h, { "a" })
      assert.is_truthy(message:find("in process_element", 1, true), message)
      h:close()
    end
    local h = testing.harness(function(input) return input end, { backend = "memory" })
    for _, bad in ipairs { 0.5, 2 ^ 54, 0 / 0, "1" } do
      fails("a time stamp is a whole number", h.push, h, 1, bad)
      fails("watermark: needs whole milliseconds", h.watermark, h, bad)
    end
    h:push(1, -2 ^ 53)
    assert.are.equal("1@-9007199254740992", play.words(h))
    h:close()
  end)

  it("L2: the largest and the smallest time", function()
    play.case(one(function(timers, time) timers:register_event_time_timer(time) end), { key = first, ordered = true }, {
      { push = { "a", 2 ^ 53 } }, { push = { "b", -2 ^ 53 } }, { push = { "c", 0 } },
      { wm = -2 ^ 53, "event:-9.007199254741e+15@-9007199254740992 W(-9007199254740992)" },
      { wm = 2 ^ 53 - 1, "event:0@0 W(9007199254740991)" },
      { wm = 2 ^ 53, "event:9.007199254741e+15@9007199254740992 W(9007199254740992)" },
    })
  end)

  it("L2: a timer at math.huge fires by the last watermark, one at -math.huge by the first", function()
    play.case(one(function(timers, time) timers:register_event_time_timer(time) end), { key = first, ordered = true }, {
      { push = { "a", math.huge } }, { push = { "b", -math.huge } }, { push = { "c", 5 } },
      { wm = 0, "event:-inf@MIN W(0)" }, { wm = 2 ^ 53, "event:5@5 W(9007199254740992)" }, { finish = true, "event:inf@MAX W(MAX) END" },
    })
  end)

  it("L2: a 64-bit integer is a time as well", function()
    play.case(one(function(timers, time) timers:register_event_time_timer(time * 1LL) end), { key = first }, {
      { push = { "a", 5 } }, { wm = 5, "event:5@5 W(5)" },
    })
  end)

  it("S8: a processing timer at -math.huge fires at once, one at math.huge never", function()
    play.case(one(function(timers, time) timers:register_processing_time_timer(time) end), { key = first }, {
      { push = { "a", -math.huge }, "processing:-inf" }, { push = { "b", math.huge } }, { pt = 2 ^ 52 }, { finish = true, "W(MAX) END" },
    })
  end)
end)

describe("timers where there can be none", function()
  local function refuses(build, text)
    local h = testing.harness(build, { backend = "memory" })
    local message = fails(text, h.push, h, { "a", 1 })
    h:close()
    return message
  end

  it("without on_timer: the error says what is missing", function()
    for _, name in ipairs { "register_event_time_timer", "delete_processing_time_timer" } do
      refuses(keyed { process_element = function(_, _, ctx) local timers = ctx:timers() timers[name](timers, 5) end }, "on_timer")
    end
  end)

  it("on a stream without keys", function()
    local message = refuses(function(input)
      return input:process("p", { process_element = function(_, _, ctx) ctx:timers():register_event_time_timer(5) end })
    end, "key")
    assert.is_truthy(message:find("key_by", 1, true), message)
    fails("key_by", testing.harness, function(input)
      return input:process("p", { process_element = function() end, on_timer = function() end })
    end)
  end)

  it("in open: there is no key yet", function()
    fails("timers", testing.harness, keyed {
      open = function(_, ctx) ctx:timers():register_event_time_timer(5) end,
      process_element = function() end, on_timer = function() end,
    })
  end)

  it("ctx:timers() names what it has for a misspelt name", function()
    refuses(keyed { process_element = function(_, _, ctx) ctx:timers():register_event_timer(5) end, on_timer = function() end },
      "register_event_time_timer")
  end)

  it("current_watermark() and current_processing_time() are there without keys and on_timer", function()
    play.each(function(input)
      return input:process("p", { process_element = function(_, _, ctx, out)
        out:collect(("%s %s"):format(tostring(ctx:timers():current_watermark()), tostring(ctx:timers():current_processing_time())))
      end })
    end, { processing_time = 9 }, function(h)
      h:push(1)
      h:watermark(5)
      h:push(2)
      assert.are.equal("-inf 9 W(5) 5 9", play.words(h))
    end)
  end)
end)
