-- The sink that measures, with numbers that can be said beforehand.
local run = require "support.run"

describe("mt.meter", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- What it writes when 2000 records come at 10,000 a second. Each is a small number, which it takes for the moment that it was due at.
  local function measured(options, checkpoint)
    local script = here:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("measured", { parallelism = 1, checkpoint = %s })
job:from(mt.generator { count = 2000, rate = 10000, fn = function(i) return i end }):to(mt.meter { path = "%s/meter", %s })
return job]]):format(checkpoint, here.directory, options))
    assert.equal(0, here:run(script):wait(60))
    return here:read "meter.0"
  end

  local function numbers(text, name)
    local list = {}
    for number in text:match('"' .. name .. '":(%b[])'):gmatch "%d+" do list[#list + 1] = tonumber(number) end
    return list
  end

  it("counts every record, and how late it was: these were due when the machine started", function()
    local text = measured("", "{ interval = false }")
    assert.equal("2000", text:match '"records":(%d+)')
    local delays, count = numbers(text, "delays"), 0
    for i = 2, #delays, 2 do
      count = count + delays[i]
      assert.is_true(delays[i - 1] > 0)
    end
    assert.equal(2000, count)
    assert.equal(1, #numbers(text, "gaps"), "the end of the input is as a barrier")
  end)

  it("keeps the longest gap between two barriers, and of that what a checkpoint was under way for", function()
    local text = measured("delays = false", '{ interval = "20ms" }')
    assert.same({}, numbers(text, "delays"))
    local gaps, stalls = numbers(text, "gaps"), numbers(text, "stalls")
    assert.is_true(#gaps >= 3, text)
    table.sort(gaps)
    for _, stall in ipairs(stalls) do assert.is_true(stall <= gaps[#gaps]) end
  end)

  it("keeps that of each `every` instead, also without checkpoints", function()
    local text = measured('delays = false, every = "20ms"', "{ interval = false }")
    local gaps = numbers(text, "gaps")
    assert.is_true(#gaps >= 3 and #gaps <= 2000, text)
    assert.same({}, numbers(text, "stalls"))
  end)

  it("counts nothing of the time of warming up", function()
    local text = measured('every = "20ms", warm_up = "1h"', "{ interval = false }")
    assert.equal("2000", text:match '"records":(%d+)')
    assert.same({}, numbers(text, "gaps"))
    assert.same({}, numbers(text, "delays"))
  end)
end)
