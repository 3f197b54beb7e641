-- What the engine and the callbacks of a window owe each other: who is called, when, in which order, and what stays.
local mt = require "moontide"
local scenario = require "support.scenario"
local variants = require "support.variants"

local function text_of(window) return ("[%d,%d)"):format(window.start, window["end"]) end

local function sum_of(elements)
  local sum = 0
  for _, element in ipairs(elements) do sum = sum + element.value end
  return sum
end

local function emit_sum(key, _, elements, _, out) out:collect(("%s:%d"):format(key, sum_of(elements))) end

local function case(name, window, trigger, text, set)
  scenario.it(it, name, function(input)
    local windowed = input:key_by("key"):window(window):trigger(trigger)
    return (set and set(windowed) or windowed):process("sum", emit_sum)
  end, text)
end

local function continue() return "continue" end

-- What a trigger of one's own was asked, in order; `own` are callbacks that answer.
local function told(seen, own)
  local trigger = { on_merge = continue, on_element = continue, on_event_time = continue, on_processing_time = continue, clear = continue }
  for name, callback in pairs(own or {}) do trigger[name] = callback end
  local function tell(name, place_of_window)
    local callback = trigger[name]
    trigger[name] = function(...)
      local window = select(place_of_window, ...)
      local time = (name == "on_event_time" or name == "on_processing_time") and select(2, ...) or ""
      seen[#seen + 1] = ("%s %s%s"):format(name, time, text_of(window))
      return callback(...)
    end
  end
  for name, place in pairs { on_element = 4, on_event_time = 3, on_processing_time = 3, on_merge = 2, clear = 2 } do tell(name, place) end
  return trigger
end

local function drain(seen)
  local list = {}
  for i, text in ipairs(seen) do list[i], seen[i] = text, nil end
  return list
end

-- A harness on each backend over a window whose trigger tells what it is asked.
local function each(window, own, body, definition)
  for _, backend in ipairs(variants.backends) do
    local testing, seen = require "moontide.testing", {}
    local h = testing.harness(function(input)
      return input:key_by("key"):window(window):trigger(told(seen, own)):process("sum", definition and definition(seen) or emit_sum)
    end, { backend = backend })
    body(h, seen, function(value, timestamp) h:push({ key = "a", value = value }, timestamp) end)
    h:close()
  end
end

local function rows_and_timers(h) return h:state_size() + h:timer_count("event") + h:timer_count("processing") end

-- Deletes the last moment of the window at each element that is 2.
local function deleting(method)
  return {
    on_merge = function() end,
    on_element = function(_, element, _, window, ctx)
      if element.value == 2 then ctx[method](ctx, window.max_timestamp) end
      return "continue"
    end,
  }
end

describe("a window is forgotten", function()
  case("S24: also where an element made its trigger delete a timer of that time", mt.tumbling { size = 100 }, deleting "delete_event_time_timer", [[
    a:1@1 a:2@2 -> timers=1 rows=2
    wm 99 -> rows=0 timers=0
  ]])

  case("S24: in processing time too", mt.sliding { size = 100, slide = 50, time = "processing" }, deleting "delete_processing_time_timer", [[
    a:1 a:2 -> timers=2 rows=4
    PT=99 -> rows=0 timers=0
  ]])

  case("S24: and a session", mt.session { gap = 100 }, deleting "delete_event_time_timer", [[
    a:1@1 a:2@1 -> timers=1
    a:2@10 -> timers=1
    wm 109 -> rows=0 timers=0
  ]])

  case("S24: where a timer of the trigger did it", mt.tumbling { size = 100 }, {
    on_element = function(_, _, _, _, ctx)
      ctx:register_event_time_timer(50)
      return "continue"
    end,
    on_event_time = function(_, _, window, ctx)
      ctx:delete_event_time_timer(window.max_timestamp)
      return "fire"
    end,
  }, [[
    a:1@1 -> timers=2
    wm 60 -> a:1@99 timers=1
    wm 99 -> a:1@99 rows=0 timers=0
  ]])

  case("S4, S24: what is deleted before the lateness is over is another timer", mt.tumbling { size = 100 }, deleting "delete_event_time_timer", [[
    a:1@1 a:2@2 -> timers=1
    wm 99 -> rows=2
    wm 109 -> rows=0 timers=0
  ]], function(windowed) return windowed:allowed_lateness(10) end)

  it("S24: its last emission first, then its contents, the trigger's clear, the function's", function()
    each(mt.tumbling { size = 10 }, { on_event_time = function() return "fire" end }, function(h, seen, push)
      push(1, 0)
      drain(seen)
      h:watermark(9)
      assert.are.same({ "on_event_time 9[0,10)", "process [0,10)", "clear [0,10)", "function's clear [0,10)" }, drain(seen))
      assert.are.equal(0, rows_and_timers(h))
      push(1, 0) -- late
      h:watermark(1000)
      assert.are.same({}, drain(seen))
    end, function(seen)
      return {
        process = function(_, _, window) seen[#seen + 1] = "process " .. text_of(window) end,
        clear = function(_, _, window) seen[#seen + 1] = "function's clear " .. text_of(window) end,
      }
    end)
  end)
end)

describe("timers of a trigger", function()
  local function at_50_and_70(_, _, _, _, ctx)
    ctx:register_event_time_timer(50)
    ctx:register_processing_time_timer(70)
    return "continue"
  end

  it("S26: that outlive their window find nothing to fire", function()
    local fires = { on_element = at_50_and_70, on_event_time = function() return "fire" end, on_processing_time = function() return "fire" end }
    each(mt.tumbling { size = 10 }, fires, function(h, seen, push)
      push(1, 5)
      h:watermark(9)
      assert.are.same({ "a:1" }, h:values())
      assert.are.equal(0, h:state_size())
      drain(seen)
      h:watermark(100)
      h:set_processing_time(100)
      assert.are.same({ "on_event_time 50[0,10)", "on_processing_time 70[0,10)" }, drain(seen))
      assert.are.same({}, h:values())
      assert.are.equal(0, rows_and_timers(h))
    end)
  end)

  it("S29: that outlive their session are ignored", function()
    each(mt.session { gap = 10 }, { on_element = at_50_and_70 }, function(h, seen, push)
      push(1, 0)
      h:watermark(9)
      drain(seen)
      h:watermark(100)
      h:set_processing_time(100)
      assert.are.same({}, drain(seen))
      assert.are.equal(0, rows_and_timers(h))
    end)
  end)

  it("S26: find a window that was purged, in both domains", function()
    for _, domain in ipairs { "event", "processing" } do
      local function advance(h, time) if domain == "event" then h:watermark(time) else h:set_processing_time(time) end end
      local purges = {
        state = { mark = mt.value_state() },
        on_element = function(self, _, _, _, ctx)
          ctx[("register_%s_time_timer"):format(domain)](ctx, 1)
          self.mark:update("hello")
          return "purge"
        end,
        ["on_" .. domain .. "_time"] = function() return "fire" end,
        clear = function(self) self.mark:clear() end,
      }
      each(mt.sliding { size = 4, slide = 2, time = domain }, purges, function(h, seen, push)
        push(1, 0)
        assert.are.equal(2, h:state_size()) -- the trigger's, of two windows
        assert.are.equal(3, h:timer_count(domain)) -- of [-2,2) one is both
        drain(seen)
        advance(h, 1)
        local asked = drain(seen)
        table.sort(asked)
        assert.are.same({ "clear [-2,2)", ("on_%s_time 1[-2,2)"):format(domain), ("on_%s_time 1[0,4)"):format(domain) }, asked)
        advance(h, 3)
        assert.are.same({}, h:values())
        assert.are.equal(0, rows_and_timers(h))
      end)
    end
  end)

  it("S3: for the past fire with the next watermark", function()
    local own = {
      on_element = function(_, _, _, _, ctx)
        ctx:register_event_time_timer(5)
        return "continue"
      end,
      on_event_time = function() return "fire" end,
    }
    each(mt.tumbling { size = 100 }, own, function(h, _, push)
      h:watermark(50)
      push(1, 60)
      h:watermark(50)
      assert.are.same({}, h:values())
      h:watermark(51)
      assert.are.same({ "a:1" }, h:values())
    end)
  end)
end)

describe("windows that merge", function()
  it("S29: tell the trigger of what is another window now, and clear each old one once", function()
    each(mt.session { gap = function(element) return element.value end }, nil, function(h, seen, push)
      push(100, 0)
      push(10, 5) -- within
      push(100, 0) -- the same
      assert.are.same({ "on_element [0,100)", "on_element [0,100)", "on_element [0,100)" }, drain(seen))
      push(100, 50)
      assert.are.same({ "on_merge [0,150)", "clear [0,100)", "on_element [0,150)" }, drain(seen))
      push(10, 300)
      push(10, 320)
      drain(seen)
      push(100, 295)
      assert.are.same({ "on_merge [295,395)", "clear [300,310)", "clear [320,330)", "on_element [295,395)" }, drain(seen))
      push(200, -10) -- covers the one there is
      assert.are.same({ "on_merge [-10,190)", "clear [0,150)", "on_element [-10,190)" }, drain(seen))
      assert.are.equal(2, h:timer_count("event"))
      h:watermark(394)
      assert.are.same({ "on_event_time 189[-10,190)", "clear [-10,190)", "on_event_time 394[295,395)", "clear [295,395)" }, drain(seen))
      assert.are.equal(0, rows_and_timers(h))
    end)
  end)

  it("S29: keep one window's timers, those that on_merge registered among them", function()
    local function register(window, ctx) ctx:register_processing_time_timer(window.max_timestamp - 1) end
    local own = {
      on_element = function(_, element, _, window, ctx)
        if element.value == 1 then register(window, ctx) end
        return "continue"
      end,
      on_merge = function(_, window, ctx) register(window, ctx) end,
      clear = function(_, window, ctx) ctx:delete_processing_time_timer(window.max_timestamp - 1) end,
    }
    each(mt.session { gap = 10, time = "processing" }, own, function(h, seen, push)
      push(1)
      h:set_processing_time(5)
      push(2)
      assert.are.equal(2, h:timer_count("processing"))
      drain(seen)
      h:set_processing_time(100)
      assert.are.same({ "on_processing_time 13[0,15)", "on_processing_time 14[0,15)", "clear [0,15)" }, drain(seen))
      assert.are.equal(0, rows_and_timers(h))
    end)
  end)
end)

describe("a trigger each so many milliseconds of the clock, written in Lua", function()
  local function min(a, b) return a < b and a or b end

  local function each_interval(interval)
    local function register(self, from, window, ctx)
      local at = min(from + interval, window.max_timestamp)
      self.at:add(at)
      ctx:register_processing_time_timer(at)
    end
    return {
      state = { at = mt.reducing_state { reduce = min } },
      on_element = function(self, _, _, window, ctx)
        local now = ctx:current_processing_time()
        if self.at:get() == nil then register(self, now - now % interval, window, ctx) end
        return "continue"
      end,
      on_processing_time = function(self, time, window, ctx)
        if self.at:get() ~= time then return "continue" end
        self.at:clear()
        register(self, time, window, ctx)
        return "fire"
      end,
      on_merge = function(self, _, ctx)
        local at = self.at:get()
        if at then ctx:register_processing_time_timer(at) end
      end,
      clear = function(self, _, ctx)
        local at = self.at:get()
        if at then ctx:delete_processing_time_timer(at) end
        self.at:clear()
      end,
    }
  end

  case("S24, S28: fires and ends with its window", mt.tumbling { size = 10, time = "processing" }, each_interval(5), [[
    a:1
    PT=2
    a:2
    PT=5 -> a:3@9
    PT=7
    a:3
    PT=9 -> a:6@9 rows=0 timers=0
    PT=10
    a:3
    PT=15 -> a:3@19
    PT=18
    a:3
    PT=20 -> a:6@19 rows=0 timers=0
  ]])

  case("S29: goes on in a session that grew", mt.session { gap = 10, time = "processing" }, each_interval(5), [[
    a:1
    PT=2
    a:2
    PT=5 -> a:3@11
    PT=9
    PT=10 -> a:3@11
    PT=15 -> a:3@11 rows=0 timers=0
    PT=100
  ]])
end)
