-- How long a checkpoint may take, how far apart two are, and how many may fail.
local process = require "support.process"
local run = require "support.run"

describe("the coordinator", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- A step counts its records; at record 10 it waits until a file is there.
  local function job(checkpoint)
    return here:job("{ parallelism = 1, restart = 'none', checkpoint = " .. checkpoint .. " }", ([[
:key_by(function(n) return n %% 7 end):process("step", {
  state = { count = mt.value_state { default = 0 } },
  process_element = function(self, n, ctx, out)
    if n == 10 then
      local file
      repeat file = io.open("%s/gate") until file
      file:close()
    end
    self.count:update(self.count:value() + 1)
    out:collect { n = n, count = self.count:value() }
  end,
}):to(mt.file { dir = "%s/out", format = "json" }, { name = "out" })]]):format(here.directory, here.directory), "mt.sequence { from = 1, to = 50000, rate = 20000 }")
  end

  local function open_gate() here:write("gate", "") end

  local function completed()
    return tonumber(here:ask("status"):match('"completed":(%d+)')) or 0
  end

  -- Every number once, each with the count that a run without failures gives it.
  local function check_output(total)
    local seen, count = {}, 0
    for line in io.popen(("cat %s/out/*"):format(here.directory)):lines() do
      local n = tonumber(line:match('"n":(%d+)'))
      assert.is_nil(seen[n], line)
      assert.are.equal(math.floor((n - 1) / 7) + 1, tonumber(line:match('"count":(%d+)')), line)
      seen[n], count = true, count + 1
    end
    assert.are.equal(total, count)
  end

  it("S34: gives up a checkpoint that is not acknowledged in time, and goes on where that is tolerated", function()
    local path = job '{ interval = "20ms", timeout = "60ms", tolerable_failures = 1000000 }'
    local started = here:run(path)
    started:wait_for("checkpoint %d+ failed: not all steps acknowledged it in time %(checkpoint%.timeout%).*checkpoint %d+ failed: not all")
    open_gate()
    started:wait_until("checkpoints complete again", function() return completed() > 1 end)
    local _, status, err = here:command("cancel") -- and what was given up is whole in those behind
    assert.are.equal(0, status, err)
    started:wait()
    local again = here:run(path)
    assert.are.equal(0, again:wait(), again.err)
    assert.is_truthy(again.err:match("goes on from checkpoint"), again.err)
    check_output(50000)
  end)

  it("S34: counts a checkpoint that is not acknowledged in time as a failure", function()
    local started = here:run(job '{ interval = "20ms", timeout = "60ms", tolerable_failures = 1 }')
    started:wait_for("checkpoint %d+ failed: not all.*checkpoint %d+ failed: not all")
    open_gate()
    assert.are.equal(1, started:wait(), started.err)
    local _, failures = started.err:gsub("warn  checkpoint %d+ failed", "")
    assert.are.equal(2, failures, started.err)
    assert.is_truthy(started.err:match('job "tide", checkpoint %d+ failed: not all steps acknowledged it in time'), started.err)
  end)

  it("S34: a checkpoint that completes makes up for those that failed before it", function()
    local path = here:job("{ parallelism = 1, restart = 'none', checkpoint = { interval = false, timeout = '60ms', tolerable_failures = 1 } }", ([[
:process("step", function(n, ctx, out)
  local path = "%s/gate-" .. n
  if n %% 50000 == 10 and n < 150000 then
    io.open(path .. "-reached", "w"):close()
    local file
    repeat file = io.open(path) until file
    file:close()
  end
  out:collect(n)
end):to(mt.blackhole {})]]):format(here.directory), "mt.sequence { from = 1, rate = 100000 }")
    local started = here:run_until_running(path)
    for n = 10, 100010, 50000 do
      started:wait_until("the step waits", function() return here:read("gate-" .. n .. "-reached") end)
      local _, status, err = here:command("checkpoint")
      assert.are.equal(1, status, err)
      assert.is_truthy(err:match "checkpoint.timeout", err)
      here:write("gate-" .. n, "")
      started:wait_until("a checkpoint completes", function() return select(2, here:command("checkpoint")) == 0 end)
    end
    assert.is_true(started:is_alive())
  end)

  -- Of two workers one waits behind the barrier that it has yet to see, of a checkpoint that is given up; the other has
  -- done its part of the next one by the time the first acknowledges the one before.
  it("S41: takes no late acknowledgement of a checkpoint that was given up for one of the next", function()
    local path = here:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("late", { parallelism = 2, restart = "none", checkpoint = { interval = false, timeout = "400ms", tolerable_failures = 9 } })
local directory, last, snapshots = "%s", 30000, 0
local function note(name) io.open(directory .. "/" .. name, "w"):close() end
local source = mt.source {
  open = function(self) self.at = self.at or 0 end,
  poll = function(self, out)
    for _ = 1, 20 do
      if self.at == last then return "end" end
      self.at = self.at + 1
      out:collect(self.at)
    end
    return false
  end,
  snapshot = function(self)
    snapshots = snapshots + 1
    note("snapshot-" .. snapshots)
    return self.at
  end,
  restore = function(self, at) self.at = at end,
}
job:from(source, { parallelism = 1 }):key_by(function(n) return n %% 7 end):process("step", {
  state = { count = mt.value_state { default = 0 } },
  process_element = function(self, n, ctx, out)
    if ctx:subtask() == 1 and not self.passed then
      note "waits"
      local file
      repeat file = io.open(directory .. "/gate") until file
      file:close()
      self.passed = true
    end
    self.count:update(self.count:value() + 1)
    out:collect { n = n, count = self.count:value() }
  end,
}):to(mt.file { dir = directory .. "/out", format = "json" }, { name = "out" })
return job]]):format(here.directory))
    local words = { "run", path, "--data", here.data, "--no-progress" }
    local started = here:start(words)
    started:wait_until("a worker waits", function() return here:read "waits" end)
    local _, status, err = here:command("checkpoint")
    assert.are.equal(1, status, err)
    local asked = here:start { "checkpoint", here.data }
    started:wait_until("the other has done its part", function() return here:read "snapshot-2" end)
    here:write("gate", "")
    assert.are.equal(0, asked:wait(), asked.err)
    started:signal(process.KILL)
    started:wait()
    local again = here:start(words)
    assert.are.equal(0, again:wait(), again.err)
    assert.is_truthy(again.err:match "goes on from checkpoint 2", again.err)
    check_output(30000)
  end)

  it("S41: lets the pause between checkpoints hold back those by the interval, not those by hand", function()
    open_gate()
    local started = here:run_until_running(here:job("{ parallelism = 1, checkpoint = { interval = '10ms', min_pause = '1h' } }", nil, run.endless))
    started:wait_until("the first is complete", function() return completed() == 1 end)
    for expected = 2, 4 do
      local _, status, err = here:command("checkpoint")
      assert.are.equal(0, status, err)
      assert.are.equal(expected, completed())
    end
  end)

  -- Numbers that mean "all" and "never", and are more than a counter of 32 bits or a clock of nanoseconds has room for.
  it("keeps, tolerates and waits as much as it is told, however much that is", function()
    local started = here:run(job [[{ interval = "20ms", timeout = "60ms", retain = 2 ^ 32, tolerable_failures = 2 ^ 32 }]])
    started:wait_for("checkpoint %d+ failed: not all.*checkpoint %d+ failed: not all")
    open_gate()
    started:wait_until("checkpoints complete", function() return completed() > 5 end)
    local _, kept = here:ask("checkpoints"):gsub('"restorable":true', "")
    assert.is_true(kept > 5, kept .. " checkpoints are kept")
  end)

  for _, option in ipairs { "interval", "min_pause" } do
    it("does not take the longest " .. option .. " for a short one", function()
      local nanoseconds_of_64_bits = "18446744073709"
      local options = ("{ interval = '20ms', %s = %s }"):format(option, nanoseconds_of_64_bits)
      if option == "interval" then options = ("{ interval = %s }"):format(nanoseconds_of_64_bits) end
      open_gate()
      local started = here:run(job(options))
      assert.are.equal(0, started:wait(), started.err)
      assert.are.equal(option == "interval" and 1 or 2, tonumber(started.err:match "(%d+) checkpoints?"), started.err)
    end)
  end

  -- Where there are more jobs than cores, the worker has often ended before its coordinator waits for the first time. A job that
  -- checkpoints each millisecond finds that out as soon, whatever signal it missed; one that does so seldom has to as well.
  it("S18: takes the last checkpoint as soon as all sources have ended, also before it waited for anything", function()
    local took = { ["1h"] = {}, ["1ms"] = {} }
    local path = here:job('{ parallelism = 1, checkpoint = { interval = mt.args.interval } }', nil, "mt.values { 1 }")
    for _ = 1, 5 do
      for interval, list in pairs(took) do
        local jobs = {}
        for i = 1, 6 do jobs[i] = here:start { "run", path, "--set", "interval=" .. interval } end
        for _, started in ipairs(jobs) do
          assert.are.equal(0, started:wait(), started.err)
          list[#list + 1] = tonumber(started.err:match "finished, 1 record in (%d+) ms") or 1000
        end
      end
    end
    for _, list in pairs(took) do table.sort(list) end
    local seldom, often = took["1h"][15], took["1ms"][15]
    assert.is_true(seldom < often + 60, ("half of the jobs took %d ms, of those that look often %d ms"):format(seldom, often))
  end)
end)
