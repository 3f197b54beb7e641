-- A source in Lua that had ended when the checkpoint was taken.
local run = require "support.run"

describe("S18c: a source in Lua that had ended", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- Writes down what it is asked for; beside it one that goes on. What it sent is in windows of event time, which only its end lets fire.
  local function script(more)
    return here:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("tide", { parallelism = 1, checkpoint = { interval = false }, restart = "none" })
local function note(what)
  local file = io.open("%s/asked", "a")
  file:write(what, " ")
  file:close()
end
job:from(mt.source {
  open = function() note "open" end,
  poll = function(self, out)
    note "poll"
    if self.told then return "end" end
    self.told = true
    out:collect { k = "hello", t = 1 }
    return true
  end,
  close = function() note "close" end,
  %s
}, { name = "once" }):assign_timestamps { field = "t" }:union(job:from(mt.values {}, { name = "none" }):assign_timestamps { field = "t" })
  :key_by("k"):window(mt.tumbling { size = 10 }):count("windows")
  :map(function(counted) return counted.key end):to(mt.stdout { format = "lines" }, { name = "out" })
job:from(mt.sequence { from = 1, rate = 10000 }, { name = "on" }):to(mt.blackhole {}, { name = "hole" })
return job]]):format(here.directory, more))
  end

  local function run_for_a_while(path)
    local started = here:run_until_running(path)
    started:wait_until("the first source has been asked to its end, and the second goes on", function()
      return (here:read("asked") or ""):find("open poll poll", 1, true) and here:ask("status"):match('"name":"hole".-"records_in":[1-9]')
    end)
    local _, status, err = here:command("stop")
    assert.are.equal(0, status, err)
    assert.are.equal(0, started:wait(), started.err)
    return started.out
  end

  local kinds = {
    ["without a position"] = "",
    ["with a position"] = "snapshot = function() note 'snapshot' return 7 end, restore = function() note 'restore' end,",
  }
  for kind, more in pairs(kinds) do
    it("is not asked again after a restore: one " .. kind, function()
      local path = script(more)
      assert.are.equal("hello\n", run_for_a_while(path))
      assert.are.equal("open poll poll close ", here:read("asked"))
      for _ = 1, 2 do -- also what was restored from what was restored
        assert.are.equal("", run_for_a_while(path))
        assert.are.equal("open poll poll close ", here:read("asked"))
      end
    end)
  end
end)

describe("S42b: a source of files", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  for parallelism = 1, 2 do
    it(("reads at each run those that are new, and none again that any run has read: %d workers"):format(parallelism), function()
      local path = here:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("tide", { parallelism = %d, checkpoint = { interval = false } })
job:from(mt.file { path = "%s/*.txt", format = "lines" }):to(mt.stdout { format = "lines" })
return job]]):format(parallelism, here.directory))
      for number = 1, 4 do
        if number < 4 then here:write(number .. ".txt", ("line %d\n"):format(number)) end
        local started = here:run(path)
        assert.are.equal(0, started:wait(), started.err)
        assert.are.equal(number < 4 and ("line %d\n"):format(number) or "", started.out, started.err)
      end
    end)
  end
end)
