-- Several aggregates at once: where the engine does not run them, and what is refused.
local author = require "support.author"
local mt = require "moontide"
local testing = require "moontide.testing"

local figures = mt.aggregates {
  visits = mt.agg.count(), total = mt.agg.sum "n", least = mt.agg.min "n", most = mt.agg.max "n", mean = mt.agg.avg "n",
}

local function run(build, values)
  local h = testing.harness(build)
  for i, value in ipairs(values) do h:push({ k = "a", n = value }, i * 10) end
  h:finish()
  local result = h:values()
  h:close()
  return result
end

describe("several aggregates", function()
  it("S60: emit for every record without windows", function()
    local result = run(function(input) return input:key_by("k"):aggregate("figures", figures) end, { 4, 2, 9 })
    assert.same({
      { key = "a", visits = 1, total = 4, least = 4, most = 4, mean = 4 },
      { key = "a", visits = 2, total = 6, least = 2, most = 4, mean = 3 },
      { key = "a", visits = 3, total = 15, least = 2, most = 9, mean = 5 },
    }, result)
  end)

  it("S29: are merged with sessions", function()
    local h = testing.harness(function(input) return input:key_by("k"):window(mt.session { gap = 100 }):aggregate("figures", figures) end)
    h:push({ k = "a", n = 1 }, 0)
    h:push({ k = "a", n = 5 }, 150)
    h:push({ k = "a", n = 3 }, 80)
    h:watermark(1000)
    assert.same({ { key = "a", window_start = 0, window_end = 250, visits = 3, total = 9, least = 1, most = 5, mean = 3 } }, h:values())
    h:close()
  end)

  it("S30: see what an evictor leaves", function()
    local result = run(function(input)
      return input:key_by("k"):window(mt.tumbling { size = 1000 }):evictor(mt.evictor.count(2)):aggregate("figures", figures)
    end, { 7, 2, 4 })
    assert.same({ { key = "a", window_start = 0, window_end = 1000, visits = 2, total = 6, least = 2, most = 4, mean = 3 } }, result)
  end)

  it("are handed to a window's function", function()
    local result = run(function(input)
      return input:key_by("k"):window(mt.tumbling { size = 1000 }):aggregate("figures", figures, function(key, window, content, _, out)
        out:collect { key, window.start, content.visits, content.mean }
      end)
    end, { 1, 3 })
    assert.same({ { "a", 0, 2, 2 } }, result)
  end)

  it("are refused by name", function()
    local function refused(text, pattern) assert.matches(pattern, author.failure(text), 1, true) end
    refused("mt.aggregates {}", "fraud.lua:1: mt.aggregates: needs a table such as")
    refused("mt.aggregates { total = 'amount' }", [['total' must be an aggregate such as mt.agg.sum "amount", got "amount"]])
    refused("mt.aggregates { key = mt.agg.count() }", "a result has a field 'key' already")
    refused("mt.agg.sum()", "fraud.lua:1: mt.agg.sum: needs a field")
    refused("mt.agg.summ 'n'", "fraud.lua:1: mt.agg has no 'summ'")
  end)
end)
