-- Evictors (S30): what is dropped before or after the function, and that the rest is what stays.
local case = require "support.case"
local mt = require "moontide"
local scenario = require "support.scenario"
local testing = require "moontide.testing"

local function sum(key, _, elements, _, out)
  local total = 0
  for _, element in ipairs(elements) do total = total + element.value end
  out:collect(("%s:%d"):format(key, total))
end

local function add(a, b) return { key = a.key, value = a.value + b.value } end
local function emit(key, _, total, _, out) out:collect(("%s:%d"):format(key, total.value)) end

local ways = {
  process = function(windowed) return windowed:process("sum", sum) end,
  reduce = function(windowed) return windowed:reduce("sum", add, emit) end,
  sum = function(windowed)
    return windowed:sum("sum", "value"):map(function(value) return ("%s:%d"):format(value.key, value.sum) end)
  end,
}

local function each_way(name, evictor, text)
  for way, finish in pairs(ways) do
    scenario.it(it, ("%s, %s"):format(name, way), function(input)
      return finish(input:key_by("key"):window(mt.global_window {}):trigger(mt.trigger.count(2)):evictor(evictor))
    end, text)
  end
end

describe("an evictor", function()
  after_each(case.close)

  each_way("T23a: count(4) after", mt.evictor.count(4, "after"), [[
    key2:1@3000 key2:1@3999 -> key2:2@MAX
    key1:1@20 key1:1@0 -> key1:2@MAX
    key1:1@999 key2:1@1998 key2:1@1999 -> key2:4@MAX
    key2:1@1000
    |SNAP|
    key1:1@10999 -> key1:4@MAX
    key2:1@1000 -> key2:6@MAX
    key2:1@1000 key2:1@1000 -> key2:6@MAX rows=8
  ]])

  each_way("T23a: count(4) before", mt.evictor.count(4, "before"), [[
    key2:1@3000 key2:1@3999 -> key2:2@MAX
    key1:1@20 key1:1@0 -> key1:2@MAX
    key1:1@999 key2:1@1998 key2:1@1999 -> key2:4@MAX
    key2:1@1000
    key1:1@10999 -> key1:4@MAX
    key2:1@1000 -> key2:4@MAX
  ]])

  each_way("T23b: time(2 s) after", mt.evictor.time("2s", "after"), [[
    key2:1@1000 key2:1@4000 -> key2:2@MAX
    key1:1@20 key1:1@0 -> key1:2@MAX
    key1:1@999 key2:1@3500 key2:1@2001 -> key2:3@MAX
    key2:1@1001
    key1:1@10999 -> key1:4@MAX
    key2:1@1002 -> key2:5@MAX
  ]])

  each_way("T23b: time(2 s) before", mt.evictor.time("2s"), [[
    key2:1@1000 key2:1@4000 -> key2:1@MAX
    key1:1@20 key1:1@0 -> key1:2@MAX
    key1:1@999 key2:1@3500 key2:1@2001 -> key2:3@MAX
  ]])

  each_way("S30: time without time stamps drops nothing", mt.evictor.time("2s"), [[
    a:1 a:2 -> a:3@MAX
    a:4 a:8 -> a:15@MAX
  ]])

  each_way("S30: where the first element has no time stamp, time drops nothing", mt.evictor.time("2s"), [[
    a:1 a:2@9000 -> a:3@MAX
    a:4@1000 a:8@20000 -> a:15@MAX
  ]])

  each_way("S30: count keeps the last ones", mt.evictor.count(2), [[
    a:1 a:2 -> a:3@MAX
    a:4 a:8 -> a:12@MAX
  ]])

  each_way("S30: delta drops what is at the threshold or beyond", mt.evictor.delta(4, function(element, last) return last.value - element.value end), [[
    a:1 a:4 -> a:5@MAX
    a:5 a:9 -> a:9@MAX
    a:10 a:12 -> a:31@MAX
  ]])

  each_way("S30: delta after the function drops what lies between", mt.evictor.delta(4, function(element, last)
    return math.abs(last.value - element.value)
  end, "after"), [[
    a:10 a:9 -> a:19@MAX
    a:1 a:10 -> a:30@MAX rows=3
    a:10 a:10 -> a:49@MAX rows=5
  ]])

  -- A list is kept in chunks of a kilobyte.
  for name, evictor in pairs {
    ["count(350) after"] = mt.evictor.count(350, "after"), ["time(35 s) after"] = mt.evictor.time("35s", "after"),
    ["delta(350) after"] = mt.evictor.delta(350, function(element, last) return last.value - element.value end, "after"),
    ["one's own after"] = { after = function(elements)
      local kept = {}
      for i = math.max(1, #elements - 349), #elements do kept[#kept + 1] = elements[i] end
      return kept
    end },
  } do
    it("S30: keeps the last of many long elements, " .. name, function()
      local h = case.new(function(input)
        return input:key_by("key"):window(mt.global_window {}):trigger(mt.trigger.count(200)):evictor(evictor):process("ends", function(_, _, elements, _, out)
          for i = 2, #elements do assert(elements[i].value == elements[i - 1].value + 1 and #elements[i].text == elements[i].value % 90) end
          out:collect(("%d-%d"):format(elements[1].value, elements[#elements].value))
        end)
      end)
      for n = 1, 1000 do
        h:push({ key = "a", value = n, text = ("x"):rep(n % 90) }, n * 100)
        if n % 330 == 0 then h:snap() end
      end
      assert.equal("451-1000@MAX", h:words())
      assert.equal(350, h:state_size())
    end)
  end

  it("S30: of one's own gets elements with their times, the window and the clocks", function()
    local seen = {}
    local h = testing.harness(function(input)
      return input:key_by("key"):window(mt.tumbling { size = 1000 }):evictor {
        before = function(elements, window, ctx)
          seen[#seen + 1] = ("before %d@%s [%d,%d) wm %d PT %d"):format(elements[1].value.value, tostring(elements[1].timestamp), window.start,
            window["end"], ctx:current_watermark(), ctx:current_processing_time())
          return { elements[#elements] }
        end,
        after = function(elements)
          seen[#seen + 1] = "after " .. #elements
          return {}
        end,
      }:allowed_lateness(1000):process("sum", sum)
    end, { processing_time = 7 })
    h:push({ key = "a", value = 1 }, 10)
    h:push({ key = "a", value = 2 }, 20)
    h:watermark(999)
    assert.same({ "before 1@10 [0,1000) wm 999 PT 7", "after 1" }, seen)
    assert.equal(0, h:state_size())
    h:push({ key = "a", value = 4 }, 30)
    assert.same({ "a:2", "a:4" }, h:values())
    h:watermark(1999)
    assert.equal(0, h:state_size() + h:timer_count("event"))
    h:close()
  end)

  it("S30: that leaves nothing lets process see an empty list; reduce emits nothing, count emits 0", function()
    local function values_of(finish)
      local h = testing.harness(function(input)
        return finish(input:key_by("key"):window(mt.global_window {}):trigger(mt.trigger.count(1)):evictor { before = function() return {} end })
      end)
      h:push { key = "a", value = 1 }
      local values, size = h:values(), h:state_size()
      h:close()
      return values, size
    end
    assert.same({ "a:0" }, (values_of(ways.process)))
    assert.same({}, (values_of(ways.reduce)))
    assert.same({}, (values_of(ways.sum)))
    local values, size = values_of(function(windowed) return windowed:count("n") end)
    assert.same({ { key = "a", count = 0 } }, values)
    assert.equal(0, size)
  end)

  it("that answers no list fails the record", function()
    local h = testing.harness(function(input)
      return input:key_by("key"):window(mt.count_window { size = 1 }):evictor { after = function() end }:process("sum", sum)
    end)
    local ok, failure = pcall(h.push, h, { key = "a", value = 1 })
    assert.is_false(ok)
    assert.matches("'after' of the evictor must answer the list of the elements to keep, got nothing", failure, 1, true)
    h:close()
  end)

  it("that answers an element with what is no time fails the record, and is named", function()
    for shown, timestamp in pairs { ['"x"'] = "x", ["1.5"] = 1.5 } do
      local h = testing.harness(function(input)
        return input:key_by("key"):window(mt.count_window { size = 1 }):evictor { after = function() return { { value = 1, timestamp = timestamp } } end }
          :process("sum", sum)
      end)
      local ok, failure = pcall(h.push, h, { key = "a", value = 1 })
      assert.is_false(ok)
      assert.matches("'after' of the evictor must answer elements whose timestamp is a whole number of milliseconds within 2^53 or nil, got " .. shown ..
        " at place 1", failure, 1, true)
      assert.matches("in after", failure, 1, true)
      h:close()
    end
  end)
end)
