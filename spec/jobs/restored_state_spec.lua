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

  -- Its rows are in files that checkpoints behind still name.
  for _, backend in ipairs { "memory", "rocksdb" } do
    it("S54: gives no state what one that was dropped had, nor that one if it comes back, on " .. backend, function()
      local function script(number, names)
        local states = ""
        for name in names:gmatch "%a+" do states = states .. ("%s = mt.value_state(), "):format(name) end
        return here:job(("{ parallelism = 2, state = { backend = %q }, checkpoint = { interval = false } }"):format(backend), ([[
:key_by(function(n) return n %% 3 end):process("step", {
  state = { %s },
  process_element = function(self, n, ctx, out)
    if ctx:current_key() ~= 0 or self.told then return end
    self.told = true
    local found = {}
    for _, name in ipairs { "kept", "old", "young" } do
      if self[name] then
        found[#found + 1] = name .. "=" .. tostring(self[name]:value())
        if %d == 1 then self[name]:update(name) end
      end
    end
    local file = io.open("%s/run-%d.new", "w")
    file:write(table.concat(found, " "))
    file:close()
    os.rename("%s/run-%d.new", "%s/run-%d")
  end,
}):to(mt.blackhole {})]]):format(states, number, here.directory, number, here.directory, number, here.directory, number), run.endless)
      end
      local function play(number, names, ...)
        local started = here:run(script(number, names), ...)
        started:wait_until("the step has said what it has", function() return here:read("run-" .. number) end)
        stop(started)
        return here:read("run-" .. number)
      end
      assert.are.equal("kept=nil old=nil", play(1, "kept old"))
      assert.are.equal("kept=kept", play(2, "kept", "--allow-non-restored-state"))
      assert.are.equal("kept=kept", play(3, "kept"))
      assert.are.equal("kept=kept old=nil young=nil", play(4, "kept young old"))
      assert.are.equal("kept=kept old=nil young=nil", play(5, "kept young old"))
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
