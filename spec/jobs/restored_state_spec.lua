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
end)
