-- Whole jobs of windows that are open over several checkpoints, killed and restored: what a
-- record changes between two checkpoints is in the next one.
local testing = require "moontide.testing"

local function counts_of(build)
  local result = testing.run(build, { parallelism = 1, kill_after = { checkpoints = 2, times = 3 } })
  assert.equal(3, result.kills)
  local list = {}
  for _, one in ipairs(result.sinks.counts) do list[#list + 1] = ("%d:%d"):format(one.key, one.count) end
  table.sort(list)
  return table.concat(list, " ")
end

-- Keys 0 to 3; two tumbling windows, or one session.
local two_windows = "0:5000 0:5000 1:5000 1:5000 2:5000 2:5000 3:5000 3:5000"
local one_session = "0:10000 1:10000 2:10000 3:10000"

describe("a window that is open over several checkpoints", function()
  it("has every record once, counted in the engine", function()
    assert.equal(two_windows, counts_of(function()
      local mt = require "moontide"
      local job = mt.job("engine", { checkpoint = { interval = false, records = 3000 }, restart = "none" })
      job:from(mt.generator { count = 40000, rate = 40000, fn = function(i) return { t = i - 1, key = i % 4 } end })
        :assign_timestamps { field = "t" }:key_by("key"):window(mt.tumbling { size = 20000 }):count("counts"):to(mt.collect { name = "counts" })
      return job
    end))
  end)

  it("has every record once, counted in Lua", function()
    assert.equal(two_windows, counts_of(function()
      local mt = require "moontide"
      local job = mt.job("lua", { checkpoint = { interval = false, records = 3000 }, restart = "none" })
      job:from(mt.generator { count = 40000, rate = 40000, fn = function(i) return { t = i - 1, key = i % 4 } end })
        :assign_timestamps { field = "t" }:key_by("key"):window(mt.tumbling { size = 20000 }):trigger(mt.trigger.event_time()):count("counts")
        :to(mt.collect { name = "counts" })
      return job
    end))
  end)

  -- The gap is longer than the input: a timer that is put off writes its session down, too.
  it("has every record once, in sessions of the engine and of Lua", function()
    assert.equal(one_session, counts_of(function()
      local mt = require "moontide"
      local job = mt.job("engine", { checkpoint = { interval = false, records = 3000 }, restart = "none" })
      job:from(mt.generator { count = 40000, rate = 40000, fn = function(i) return { t = i, key = i % 4 } end })
        :assign_timestamps { field = "t" }:key_by("key"):window(mt.session { gap = 100000 }):count("counts"):to(mt.collect { name = "counts" })
      return job
    end))
    assert.equal(one_session, counts_of(function()
      local mt = require "moontide"
      local job = mt.job("lua", { checkpoint = { interval = false, records = 3000 }, restart = "none" })
      job:from(mt.generator { count = 40000, rate = 40000, fn = function(i) return { t = i, key = i % 4 } end })
        :assign_timestamps { field = "t" }:key_by("key"):window(mt.session { gap = function() return 100000 end }):count("counts")
        :to(mt.collect { name = "counts" })
      return job
    end))
  end)
end)
