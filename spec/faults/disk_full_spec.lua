-- A disk that is full for a while, below the data directory or below the output: the checkpoint
-- fails with the reason, the job goes on or stops by tolerable_failures, and nothing committed
-- is harmed. On a small tmpfs; needs the right to mount one.
local clock = require "support.clock"
local process = require "support.process"
local rounds = require "faults.chaos.round"

describe("S34: a full disk", function()
  local round, started, disk

  local function shell(command)
    return os.execute(command) == 0
  end

  after_each(function()
    if started then started:destroy() end
    if disk then shell(("umount -l '%s'"):format(disk)) end
    if round then round:remove() end
    round, started, disk = nil, nil, nil
  end)

  --- A round whose `which` ("data" or "out") lies on a disk of its own; false where none can be mounted.
  local function new(which, options)
    local case = { kind = "rows", backend = "memory", memory = "64MB", parallelism = 2, records = 30000,
      seed = math.floor(clock.now_ms()) % 2 ^ 30, pause_us = 8000 }
    for name, value in pairs(options) do case[name] = value end
    print(("seed %d"):format(case.seed))
    round = rounds.new(case)
    local path = round[which]
    if not shell(("mkdir -p '%s' && mount -t tmpfs -o size=12m none '%s' 2>/dev/null"):format(path, path)) then return false end
    disk = path
    return true
  end

  local function start()
    started = process.start(round:words(), { environment = { MOONTIDE_BASE_BYTES = tostring(round.case.base_bytes or "") } })
  end

  local function newest()
    local out = process.run { "checkpoints", round.data, "--format", "json" }
    local id = 0
    for number in out:gmatch('"id":(%d+)') do id = math.max(id, tonumber(number)) end
    return id
  end

  local function fill()
    shell(("dd if=/dev/zero of='%s/.filler' bs=4k 2>/dev/null"):format(disk))
  end

  local function free()
    assert(os.remove(disk .. "/.filler"))
  end

  local function check()
    local report = round:compare()
    assert.are.equal(0, report.count, table.concat(report, "\n"))
  end

  local cases = {
    { name = "below deltas and manifests", which = "data", options = { kind = "plain", backend = "rocksdb" } },
    { name = "below a base", which = "data", options = { base_bytes = 20 * 1024 } },
    { name = "below the output", which = "out", options = {}, fails = true },
  }

  for _, case in ipairs(cases) do
    local tolerated = not case.fails and it or function() end
    tolerated(case.name .. " is survived where failures are tolerated", function()
      case.options.tolerable = 1000000
      if not new(case.which, case.options) then return pending "no tmpfs can be mounted here" end
      start()
      started:wait_until("there is a second checkpoint", function() return newest() >= 2 end)
      fill()
      started:wait_for("checkpoint %d+ failed: [^\n]*No space left on device")
      local before = newest()
      free()
      started:wait_until("checkpoints are taken again", function() return newest() > before end)
      assert.are.equal(0, started:wait(), started.err)
      assert.is_nil(started.err:match("attempt 2"), started.err)
      check()
    end)

    it(case.name .. " ends a job that tolerates nothing; it goes on when there is space", function()
      case.options.tolerable = 0
      if not new(case.which, case.options) then return pending "no tmpfs can be mounted here" end
      start()
      started:wait_until("there is a second checkpoint", function() return newest() >= 2 end)
      fill()
      assert.are.equal(1, started:wait(), started.err)
      assert.is_truthy(started.err:match("No space left on device"), started.err)
      free()
      round.case.pause_us = 0
      local ended = round:attempt()
      assert.is_nil(ended.problem)
      assert.is_true(ended.checkpoint >= 2)
      check()
    end)
  end

  for name, which in pairs { ["the output"] = "out", checkpoints = "data" } do
    it("below " .. name .. " is met by the restart strategy, however often it comes back", function()
      if not new(which, { restart = 20 }) then return pending "no tmpfs can be mounted here" end
      start()
      started:wait_until("there is a second checkpoint", function() return newest() >= 2 end)
      fill()
      started:wait_for("No space left on device.*attempt 4 in 20 ms")
      free()
      assert.are.equal(0, started:wait(), started.err)
      check()
    end)
  end

  it("below rows that memory does not hold ends the job with the reason; it goes on when there is space", function()
    if not new("data", { backend = "rocksdb", memory = "1KB", tolerable = 1000000, base_bytes = 20 * 1024 }) then
      return pending "no tmpfs can be mounted here"
    end
    start()
    started:wait_until("there is a second checkpoint", function() return newest() >= 2 end)
    fill()
    local said = "No space left on device"
    started:wait_for(said)
    free()
    local status = started:wait()
    if status ~= 0 then
      assert.are.equal(1, status, started.err)
      round.case.pause_us = 0
      assert.is_nil(round:attempt().problem)
    end
    check()
  end)
end)
