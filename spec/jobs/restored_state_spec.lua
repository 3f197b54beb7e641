-- What becomes of state that the job of a checkpoint had and the job of today has not.
local run = require "support.run"

describe("state of a checkpoint that no step has any more", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local keyed = [[:key_by(function(n) return n %% 3 end):process("step", {
    state = { %s = mt.value_state { default = 0 } },
    process_element = function(self, n, ctx, out) self.%s:update(n) end,
  }):to(mt.blackhole {})]]
  local operator = [[:process("step", {
    state = { %s = mt.operator_list_state {} },
    process_element = function(self, n, ctx, out) self.%s:update { n } end,
  }):to(mt.blackhole {})]]

  local function script(steps, name)
    return here:job("{ parallelism = 2, checkpoint = { interval = false } }", steps:format(name, name), run.endless)
  end

  local function stop(started)
    local _, status, err = here:command("stop")
    assert.are.equal(0, status, err)
    assert.are.equal(0, started:wait(), started.err)
  end

  for kind, steps in pairs { keyed = keyed, operator = operator } do
    it("S54: refuses the restore, unless it may be dropped: " .. kind .. " state", function()
      stop(here:run_until_running(script(steps, "old")))
      local before = here:ask("checkpoints")
      local changed = here:run(script(steps, "new"))
      assert.are.equal(3, changed:wait(), changed.err)
      assert.is_truthy(changed.err:find("has state 'old' of step \"step\", which the job does not have any more (--allow-non-restored-state drops it)", 1, true),
        changed.err)
      assert.are.equal((before:gsub('"age_ms":%d+', "")), (here:ask("checkpoints"):gsub('"age_ms":%d+', "")))
      local path = script(steps, "new")
      local dropped = here:run(path, "--allow-non-restored-state")
      dropped:wait_until("the job runs", function() return here:ask("status"):match('"state":"running"') end)
      stop(dropped)
      stop(here:run_until_running(path)) -- it is gone from the checkpoints behind
    end)
  end

  -- What is refused, and then dropped as asked: the newer job runs, and its checkpoints know nothing of it.
  local function place_refused(before, after, what)
    local function script(job) return here:job("{ parallelism = 2, checkpoint = { interval = false } }", job.steps, job.source) end
    stop(here:run_until_running(script(before)))
    local kept = here:ask("checkpoints")
    local path = script(after)
    local changed = here:run(path)
    assert.are.equal(3, changed:wait(), changed.err)
    assert.is_truthy(changed.err:find(("has the place of the %s, which the job does not have any more (--allow-non-restored-state drops it)"):format(what), 1, true),
      changed.err)
    assert.are.equal((kept:gsub('"age_ms":%d+', "")), (here:ask("checkpoints"):gsub('"age_ms":%d+', "")))
    local dropped = here:run(path, "--allow-non-restored-state")
    dropped:wait_until("the job runs", function() return here:ask("status"):match('"state":"running"') end)
    stop(dropped)
    stop(here:run_until_running(path))
  end

  local endless = 'mt.sequence { from = 1, rate = 10000 }, { name = "%s" }'
  local own = [[mt.source { poll = function(self, out) return false end, snapshot = function() return 1 end, restore = print }, { name = "in" }]]

  it("S54: refuses a restore that would lose the place of a source", function()
    place_refused({ source = endless:format("in") }, { source = endless:format("renamed") }, 'sequence source "in"')
  end)

  it("S54: refuses a restore that would give the place of a source to another connector", function()
    place_refused({ source = endless:format("in") }, { source = own }, 'sequence source "in"')
  end)

  it("S54: refuses a restore that would lose what a sink has to commit", function()
    local source = endless:format("in")
    local function file(name) return (':to(mt.file { dir = "%s/out", format = "json" }, { name = "%s" })'):format(here.directory, name) end
    place_refused({ source = source, steps = file "out" }, { source = source, steps = file "renamed" }, 'file sink "out"')
  end)

  it("S54: refuses a restore that would give what a sink has to commit to another connector", function()
    local file = (':to(mt.file { dir = "%s/out", format = "json" }, { name = "out" })'):format(here.directory)
    local source = endless:format("in")
    place_refused({ source = source, steps = file }, { source = source, steps = ':to(mt.blackhole {}, { name = "out" })' }, 'file sink "out"')
  end)

  it("S54: lets steps without state come before a source's and a sink's without a name", function()
    local function file(steps) return ('%s:to(mt.file { dir = "%s/out", format = "json" })'):format(steps, here.directory) end
    local options = "{ parallelism = 2, checkpoint = { interval = false } }"
    stop(here:run_until_running(here:job(options, file "", run.endless)))
    stop(here:run_until_running(here:job(options, file ":map(function(n) return n end):rebalance()", run.endless)))
  end)
end)
