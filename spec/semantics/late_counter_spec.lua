-- What came too late and has no output of its own is counted, whoever runs the step.
local case = require "support.case"
local mt = require "moontide"

local function concat(_, _, elements, _, out) out:collect(#elements) end

local windows = {
  ["a window function"] = function(windowed) return windowed:process("w", concat) end,
  ["a reduction in Lua"] = function(windowed) return windowed:reduce("w", function(a) return a end) end,
  ["an aggregate of the engine"] = function(windowed) return windowed:sum("w", "value") end,
}

local function push(h, times)
  for _, time in ipairs(times) do h:push({ key = "k", value = 1 }, time) end
end

describe("late records", function()
  after_each(case.close)

  for way, finish in pairs(windows) do
    it("S25: are counted where no output takes them, by " .. way, function()
      local h = case.new(function(input) return finish(input:key_by("key"):window(mt.tumbling { size = 10 }):allowed_lateness(5)) end)
      push(h, { 3 })
      h:watermark(13)
      push(h, { 4 }) -- within the lateness
      assert.are.equal(0, h:late_count())
      h:watermark(14)
      push(h, { 4, 12, 9 })
      assert.are.equal(2, h:late_count())
    end)

    it("S25: are not counted where an output takes them, by " .. way, function()
      local h = case.new(function(input)
        return finish(input:key_by("key"):window(mt.tumbling { size = 10 }):side_output_late("late"))
      end)
      h:watermark(13)
      push(h, { 4, 12, 9 })
      assert.are.equal(0, h:late_count())
      assert.are.equal(2, #h:side_output("late"))
    end)

    it("S22, S25: are not those that fall between two windows, by " .. way, function()
      local h = case.new(function(input) return finish(input:key_by("key"):window(mt.sliding { size = 2, slide = 10 })) end)
      h:watermark(13)
      push(h, { 15, 14 })
      assert.are.equal(0, h:late_count())
      push(h, { 1 })
      assert.are.equal(1, h:late_count())
    end)

    it("S29: are counted where their session is over, by " .. way, function()
      local h = case.new(function(input) return finish(input:key_by("key"):window(mt.session { gap = 10 })) end)
      push(h, { 20 })
      h:watermark(25)
      push(h, { 1, 14 }) -- the second one joins what lives
      assert.are.equal(1, h:late_count())
    end)
  end

  for side, tag in ipairs { "late_left", "late_right" } do
    it("S57: are counted by an interval join, on side " .. side, function()
      local function join(given)
        given.lower, given.upper = -5, 5
        return case.new(function(left, right)
          return left:key_by("key"):interval_join(right:key_by("key"), given):process("join", function(l, _, _, out) out:collect(l) end)
        end, { inputs = 2 })
      end
      for expected, given in pairs { [1] = {}, [0] = { [tag] = "late" } } do
        local h = join(given)
        h.inputs[1]:watermark(13)
        h.inputs[2]:watermark(13)
        for _, time in ipairs { 12, 13, 14 } do h.inputs[side]:push({ key = "k" }, time) end
        assert.are.equal(expected, h:late_count())
        assert.are.equal(1 - expected, #h:side_output("late"))
      end
    end)
  end
end)
