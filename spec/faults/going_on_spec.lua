-- Jobs that end before their input does, in other ways than by a crash, and go on when they are
-- run again with their data: stopped, cancelled, interrupted, at another parallelism.
local clock = require "support.clock"
local process = require "support.process"
local rounds = require "faults.chaos.round"

describe("a job that is run again with its data", function()
  local round, started

  local function new(options)
    local case = { kind = "rows", backend = "rocksdb", memory = "300KB", parallelism = 2, base_bytes = 64 * 1024, records = 20000,
      seed = math.floor(clock.now_ms()) % 2 ^ 30, pause_us = 6000 }
    for name, value in pairs(options or {}) do case[name] = value end
    print(("seed %d"):format(case.seed))
    round = rounds.new(case)
  end

  after_each(function()
    if started then started:destroy() end
    if round then round:remove() end
    started, round = nil, nil
  end)

  local function finish()
    round.case.pause_us = 0
    local ended = round:attempt()
    assert.is_nil(ended.problem)
    local report = round:compare()
    assert.are.equal(0, report.count, table.concat(report, "\n"))
    return ended
  end

  local function start()
    started = process.start(round:words(), { environment = { MOONTIDE_BASE_BYTES = tostring(round.case.base_bytes) } })
  end

  local function ask(name, ...)
    local out, status, err = process.run { name, round.data, ... }
    return status == 0 and out or "", err
  end

  local function wait_for_checkpoint()
    started:wait_until("there is a second checkpoint", function() return ask("checkpoints", "--format", "json"):match('"id":2,') end)
  end

  for _, parallelisms in ipairs { { 1, 3, 2 }, { 4, 1, 3 } } do
    for _, backend in ipairs { "rocksdb", "memory" } do
      it(("S43: goes on at parallelism %s, on %s"):format(table.concat(parallelisms, ", then "), backend), function()
        new { backend = backend, memory = backend == "memory" and "64MB" or "300KB", split = "64KB", records = 40000, pause_us = 10000 }
        for number, parallelism in ipairs(parallelisms) do
          round.case.parallelism = parallelism
          if number == #parallelisms then break end
          local ended = round:attempt("commit.after_sync:3")
          assert.is_true(ended.killed, ended.err)
        end
        assert.is_truthy(finish().checkpoint >= 6)
      end)
    end
  end

  describe("whose checkpoints are kept in another place", function()
    local place

    before_each(function()
      -- Another file system, if there is one: rows cannot be shared by links then.
      local pipe = assert(io.popen("mktemp -d -p /dev/shm 2>/dev/null || mktemp -d"))
      place = pipe:read("*l") .. "/checkpoints"
      pipe:close()
    end)

    after_each(function() os.execute(("rm -rf '%s'"):format(place:match("^(.*)/"))) end)

    for _, kind in ipairs { "rows", "plain" } do
      it("finds them there, " .. kind, function()
        new { kind = kind, storage = place, base_bytes = 20000, records = 40000 }
        assert.is_true(round:attempt("commit.after_sync:4").killed)
        assert.is_true(round:attempt("commit.after_sync:5").killed)
        local list = ask("checkpoints", "--format", "json")
        assert.is_truthy(list:match('"restorable":true'), list)
        assert.are.equal(0, os.execute(("test -L '%s/checkpoints' && test -d '%s/shared'"):format(round.data, place)))
        assert.is_truthy(finish().checkpoint >= 4)
      end)
    end

    local function refusal()
      local ended = round:attempt()
      assert.are.equal(3, ended.status, ended.err)
      return ended.err
    end

    it("does not take a place with the checkpoints of another one, or a new place while it has some", function()
      new { storage = place, records = 4000, pause_us = 0 }
      finish()
      local first = round
      new { storage = place, records = 4000 }
      assert.is_truthy(refusal():find(place .. " has checkpoints of another data directory in it", 1, true))
      round:remove()
      round = first
      round.case.storage = place .. "-2"
      assert.is_truthy(refusal():find("leads to another place; the checkpoints have to be moved by hand", 1, true))
    end)

    it("lets nobody else there while it runs, who comes by a copy of the data directory", function()
      new { storage = place, records = 60000, pause_us = 15000 }
      start()
      wait_for_checkpoint()
      local data = round.data
      -- What the job removes meanwhile is missed by the copy; the link to the place is not.
      assert.are.equal(0, os.execute(("cp -a '%s' '%s-copy' 2>&1 || test -L '%s-copy/checkpoints'"):format(data, data, data)))
      round.data = data .. "-copy"
      assert.is_truthy(refusal():find("another process has the checkpoints in " .. round.data, 1, true))
      round.data = data
      started:signal(process.TERM)
      assert.are.equal(0, started:wait(), started.err)
      finish()
    end)

    it("says so when there are some in the data directory", function()
      new { records = 4000, pause_us = 0 }
      finish()
      round.case.storage = place
      assert.is_truthy(refusal():find("already; they have to be moved to the new place by hand", 1, true))
    end)
  end)

  for name, signal in pairs { SIGINT = process.INT, SIGTERM = process.TERM } do
    it("goes on after " .. name .. ", from the checkpoint that it stopped with", function()
      new()
      start()
      wait_for_checkpoint()
      started:signal(signal)
      assert.are.equal(0, started:wait(), started.err)
      assert.is_truthy(started.err:match("stopped, "), started.err)
      assert.is_truthy(finish().checkpoint > 2)
    end)
  end

  it("goes on after stop", function()
    new()
    start()
    wait_for_checkpoint()
    local _, err = ask("stop")
    assert.are.equal(0, started:wait(), started.err .. err)
    assert.is_truthy(finish().checkpoint > 2)
  end)

  it("goes on after cancel, from the last checkpoint before it", function()
    new()
    start()
    wait_for_checkpoint()
    local _, err = ask("cancel")
    assert.are.equal(0, started:wait(), started.err .. err)
    assert.is_truthy(finish().checkpoint >= 2)
  end)

  it("has nothing to do after its end, and says so", function()
    new { pause_us = 0 }
    finish()
    local ended = finish()
    assert.are.equal(0, ended.status)
  end)
end)
