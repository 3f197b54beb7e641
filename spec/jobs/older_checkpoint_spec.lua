-- A job that goes on from an older checkpoint than its newest, where a sink in Lua has published something since.
local run = require "support.run"

describe("an older checkpoint than the newest", function()
  local here
  before_each(function() here = run.new() end)
  after_each(function() here:destroy() end)

  local sinks = {
    ["exactly once"] = "write = function(self, n) self.last = n end, prepare = function(self) return self.last end, commit = function() end",
    ["at least once"] = "write = function() end",
  }

  -- A job with some checkpoints, which has been stopped.
  local function played(sink)
    local path = here:job("{ parallelism = 2, restart = 'none', checkpoint = { interval = false } }",
      ('  :to(mt.sink { %s }, { name = "out" })'):format(sinks[sink]), run.endless)
    local started = here:run_until_running(path)
    for _ = 1, 2 do assert.equal(0, select(2, here:command "checkpoint")) end
    assert.equal(0, select(2, here:command "stop"))
    assert.equal(0, started:wait(), started.err)
    return path
  end

  local function goes_on(path, ...)
    local started = here:run_until_running(path, ...)
    assert.equal(0, select(2, here:command "stop"))
    assert.equal(0, started:wait(), started.err)
    assert.is_truthy(started.err:match "goes on from checkpoint %d+ %(not the newest%)", started.err)
  end

  local refusal = 'the sink "out" cannot take back what it published after checkpoint %d '

  it("S42: is refused by a sink in Lua that is exactly once, unless it may publish twice", function()
    local path = played "exactly once"
    local refused = here:run(path, "--restore", "1")
    assert.equal(3, refused:wait(), refused.err)
    assert.is_truthy(refused.err:find(refusal:format(1), 1, true), refused.err)
    goes_on(path, "--restore", "1", "--allow-duplicates")
  end)

  it("S42: is refused by it too where newer ones are damaged", function()
    local path = played "exactly once"
    here:write("data/checkpoints/chk-3/manifest", "")
    local refused = here:run(path)
    assert.equal(3, refused:wait(), refused.err)
    assert.is_truthy(refused.err:find(refusal:format(2), 1, true), refused.err)
    goes_on(path, "--allow-duplicates")
  end)

  it("S42: is refused by it too where the newest was deleted", function()
    local path = played "exactly once"
    assert.equal(0, select(2, here:command("checkpoints", "delete", "3")))
    local refused = here:run(path)
    assert.equal(3, refused:wait(), refused.err)
    assert.is_truthy(refused.err:find(refusal:format(2), 1, true), refused.err)
    goes_on(path, "--allow-duplicates")
  end)

  it("S42: is asked for by --fresh where all were deleted", function()
    local path = played "exactly once"
    for _, id in ipairs { "1", "2", "3" } do assert.equal(0, select(2, here:command("checkpoints", "delete", id))) end
    local refused = here:run(path)
    assert.equal(3, refused:wait(), refused.err)
    assert.is_truthy(refused.err:find("--fresh starts over", 1, true), refused.err)
    here:run_until_running(path, "--fresh")
    assert.equal(0, select(2, here:command "stop"))
  end)

  it("is no matter for a sink that is at least once", function()
    goes_on(played "at least once", "--restore", "1")
  end)
end)
