-- A run that comes to no end, by a failure or because it is cancelled: what it has open is closed, and what a sink has
-- prepared is aborted, unless a checkpoint keeps it.
local run = require "support.run"
local testing = require "moontide.testing"

describe("a run that is given up", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  -- Two workers. The sink writes down what it is asked for.
  local function job(more)
    return here:write("job.lua", ([[
local mt = require "moontide"
local job = mt.job("tide", { parallelism = 2, checkpoint = { interval = false }, restart = "none" })
local subtask = "-" -- sinks open first
local function note(...) io.stderr:write("said: ", table.concat({ subtask, ... }, " "), "\n") end
local more = { %s }
job:from(mt.sequence { from = 1, rate = 1000 }):process("step", {
  open = function(self, ctx) subtask = ctx:subtask() end,
  process_element = function(self, n, ctx, out)
    if more.element then more.element(n) end
    out:collect(n)
  end,
  close = function() note "close step"; if more.close then more.close() end end,
}):to(mt.sink {
  write = function(self, n) self.last = n end,
  prepare = function() note "prepare"; return "of " .. subtask end,
  commit = function(_, prepared) note("commit", prepared); if more.commit then more.commit() end end,
  abort = function(_, prepared) note("abort", prepared) end,
  close = function() note "close sink" end,
}, { name = "out" })
return job]]):format(more))
  end

  local function said(started)
    local list = {}
    for line in started.err:gmatch "said: ([^\n]*)\n" do list[#list + 1] = line end
    table.sort(list)
    return list
  end

  it("S42: aborts what was prepared for a checkpoint that did not complete", function()
    local started = here:run_until_running(job(([[element = function(n)
      if n > 1 then return end
      note "at the gate"
      while not io.open "%s/gate" do end
      error "behind it"
    end]]):format(here.directory)))
    local busy = started:wait_for "said: (%d) at the gate"
    here:start { "checkpoint", here.data }
    started:wait_for "said: %d prepare" -- the other worker
    here:write("gate", "")
    assert.equal(1, started:wait(), started.err)
    local other = 1 - busy
    local expected = { other .. " abort of " .. other, other .. " prepare", busy .. " at the gate" }
    for subtask = 0, 1 do
      table.insert(expected, subtask .. " close sink")
      table.insert(expected, subtask .. " close step")
    end
    table.sort(expected)
    assert.same(expected, said(started))
  end)

  it("S42: aborts nothing that a checkpoint keeps, and commits it when it goes on", function()
    local started = here:run_until_running(job [[commit = function() error "not now" end]])
    here:start { "checkpoint", here.data }
    assert.equal(1, started:wait(), started.err)
    assert.is_nil(started.err:match "abort", started.err)
    started = here:run_until_running(job "")
    assert.equal(0, select(2, here:command "cancel"))
    assert.equal(0, started:wait(), started.err)
    assert.same({ "- commit of 0", "- commit of 1", "0 close sink", "0 close step", "1 close sink", "1 close step" }, said(started))
  end)

  it("closes all that is open where one of them cannot, and says which", function()
    local started = here:run_until_running(job [[close = function() error "stuck" end]])
    assert.equal(0, select(2, here:command "cancel"))
    assert.equal(0, started:wait(), started.err)
    assert.same({ "0 close sink", "0 close step", "1 close sink", "1 close step" }, said(started))
    assert.is_truthy(started.err:match 'step "step", subtask 1: stuck %(job%.lua:%d+: in close%)', started.err)
  end)

  it("ends a close that hangs by the watchdog", function()
    local path = here:job("{ parallelism = 1, restart = 'none', watchdog = '200ms' }",
      [[:process("p", { process_element = function(_, n) if n == 3 then error "three" end end, close = function() while true do end end }):to(mt.blackhole {})]])
    local started = here:run(path)
    assert.equal(1, started:wait(), started.err)
    assert.is_truthy(started.err:match "step 'p' ran one callback for [%d.]+ m?s: ended by the watchdog", started.err)
  end)

  it("closes nothing that never opened", function()
    local path = here:job("{ parallelism = 1, restart = 'none' }", [[
      :process("upper", { open = function() io.stderr:write "said: open\n" end, close = function() io.stderr:write "said: close upper\n" end,
        process_element = function() end })
      :to(mt.sink { open = function() error "shut" end, write = function() end, close = function() io.stderr:write "said: close sink\n" end })]])
    local started = here:run(path)
    assert.equal(1, started:wait(), started.err)
    assert.is_nil(started.err:match "said: close sink", started.err)
  end)

  it("is closed in a harness too", function()
    local closed = 0
    local h = testing.harness(function(input)
      return input:process("p", { process_element = function() error "bad" end, close = function() closed = closed + 1 end })
    end)
    assert.has_error(function() h:push(1) end)
    assert.equal(0, closed)
    h:close()
    h:close()
    assert.equal(1, closed)
  end)
end)
