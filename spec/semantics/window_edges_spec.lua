-- Windows at the ends of time, and aggregates that have no result.
local mt = require "moontide"
local testing = require "moontide.testing"

local function one() return 1 end
local function tell(_, _, _, _, out) out:collect(1) end

local h
local function open(build, options)
  h = testing.harness(build, options)
  return h
end

describe("windows at the ends of time:", function()
  after_each(function() h:close() end)

  local refused = "none: call :assign_timestamps"
  local shapes = {
    { "tumbling", mt.tumbling { size = 10 } }, { "sliding", mt.sliding { size = 10, slide = 5 } }, { "sessions", mt.session { gap = 5 } },
  }
  for _, shape in ipairs(shapes) do
    local name, window = unpack(shape)
    for kind, step in pairs { engine = function(s) return s:count("c") end, Lua = function(s) return s:process("p", function() end) end } do
      it(("S22: a record at MIN has no time stamp: %s, in %s"):format(name, kind), function()
        open(function(input) return step(input:key_by(one):window(window)) end)
        local ok, message = pcall(h.push, h, "x", -math.huge)
        assert.is_false(ok)
        assert.is_truthy(message:find("time stamp", 1, true), message)
      end)
    end

    for _, case in ipairs { { time = math.huge, lateness = 0 }, { time = 5, lateness = 2 ^ 53 } } do
      for kind, step in pairs { engine = function(s) return s:count("c") end, Lua = function(s) return s:process("p", tell) end } do
        it(("S20: behind watermark MAX all is late: %s, in %s, a record at %s"):format(name, kind, case.time), function()
          open(function(input) return step(input:key_by(one):window(window):allowed_lateness(case.lateness):side_output_late("late")) end)
          h:push("x", case.time)
          h:watermark(math.huge)
          h:output()
          h:push("y", case.time)
          assert.are.same({}, h:values())
          assert.are.equal(1, #h:side_output("late"))
        end)
      end
    end
  end

  -- A record of every time would be in so many windows; a slide that does not divide the size makes one more for some.
  for _, case in ipairs { { size = 2048, slide = 2, windows = 1024 }, { size = 3069, slide = 3, windows = 1023 }, { size = 3, slide = 10, windows = 1 } } do
    it(("S22: a record is in up to 1024 windows: %d by %d"):format(case.size, case.slide), function()
      open(function(input) return input:key_by(one):window(mt.sliding { size = case.size, slide = case.slide }):process("p", tell) end)
      h:push("x", 30000)
      h:watermark(math.huge)
      assert.are.equal(case.windows, #h:values())
    end)
  end

  it("S22: more windows than that are refused", function()
    h = { close = function() end }
    local ok, message = pcall(testing.harness, function(input)
      return input:key_by(one):window(mt.sliding { size = 2049, slide = 2 }):process("p", tell)
    end)
    assert.is_false(ok)
    assert.is_truthy(tostring(message):find("step 'p': a record would be in 1025 windows (at most 1024)", 1, true), message)
  end)

  it("S57: a record at MIN is none for an interval join", function()
    open(function(a, b)
      return a:key_by(one):interval_join(b:key_by(one), { lower = -5, upper = 5 }):process("j", function(_, _, _, out) out:collect(1) end)
    end, { inputs = 2 })
    local ok, message = pcall(function() h.inputs[1]:push("x", -math.huge) end)
    assert.is_false(ok)
    assert.is_truthy(tostring(message):find("the record has no time stamp", 1, true), message)
  end)
end)

describe("S26: an aggregate whose result is nil", function()
  after_each(function() h:close() end)

  -- The result is that of an odd number of records alone.
  local odd = {
    create = function() return 0 end, add = function(count) return count + 1 end, merge = function(a, b) return a + b end,
    result = function(count) if count % 2 == 1 then return count end end,
  }

  it("emits nothing, and does not call the window's function", function()
    local evictors = { none = function(s) return s end, one = function(s) return s:evictor(mt.evictor.count(10)) end }
    for name, evicting in pairs(evictors) do
      for _, with_function in ipairs { false, true } do
        local called = {}
        local fn = with_function and function(_, _, content, _, out)
          called[#called + 1] = content
          out:collect(content)
        end or nil
        open(function(input) return evicting(input:key_by(one):window(mt.tumbling { size = 10 })):aggregate("a", odd, fn) end)
        for _, time in ipairs { 1, 2, 11, 21, 22, 31, 32, 33 } do h:push("x", time) end
        h:watermark(100)
        assert.are.same({ 1, 3 }, h:values(), name)
        assert.are.same(with_function and { 1, 3 } or {}, called, name)
        h:close()
      end
    end
    open(function(input) return input end)
  end)

  it("emits nothing for that record where it is rolling, and is nil for get()", function()
    open(function(input) return input:key_by(one):aggregate("a", odd) end)
    for _ = 1, 4 do h:push("x") end
    assert.are.same({ 1, 3 }, h:values())
    h:close()
    open(function(input)
      return input:key_by(one):process("p", { state = { odd = mt.aggregating_state(odd) }, process_element = function(self, _, _, out)
        self.odd:add(1)
        out:collect(("%d %s"):format(select("#", self.odd:get()), tostring(self.odd:get())))
      end })
    end)
    for _ = 1, 2 do h:push("x") end
    assert.are.same({ "1 1", "1 nil" }, h:values())
  end)
end)
