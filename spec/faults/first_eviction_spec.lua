-- A base that is begun while no row has left the cache, at a worker that is busy until the first ones do: what is in
-- the cache is not all there is any more. More rows leave it than the second checkpoint has, so some are of the first
-- one, and a base takes the place of that one's delta. (scripts/mutate sees whether they still do.)
local attempt = require "faults.chaos.attempt"
local runs = require "support.run"

-- The first checkpoint has 2150 rows, the second 450 more, which is more than memory is for; their deltas ask for a
-- base. When the second has been committed the first is removed, and the base decided on. For this moment one record
-- waits at the gate. Then it goes on to the rows, which are brought back to their memory, and only then the worker
-- looks what else there is to do. Checkpoints follow until the base stands in one, and a count.
local job = [[
local mt = require "moontide"
local filler, rows_of, checkpoints, tries, seconds_a_try = ("x"):rep(1000), { 2150, 450 }, 8, 200, 0.05
local requested, snapshots, committed, spilled = 0, 0, 0, false
local job = mt.job("spill", { parallelism = 1, checkpoint = { interval = false, retain = 1 }, restart = { strategy = "none" },
  state = { backend = "rocksdb", memory = "2800KB" } })

-- One record at a time, so that each is a batch; while a checkpoint is under way none but those that try to spill.
local steps = mt.source {
  open = function(self) self.at, self.tried = self.at or 0, 0 end,
  poll = function(self, out)
    if snapshots == 2 and not spilled then
      self.tried = self.tried + 1
      assert(self.tried < tries, "the first checkpoint is never removed")
      out:collect "spill"
    elseif committed >= requested then
      if self.at > checkpoints then return "end" end
      self.at = self.at + 1
      out:collect(self.at)
    end
    return true -- at once again, also with nothing: who sleeps misses the moment
  end,
  snapshot = function(self)
    snapshots = snapshots + 1
    return self.at
  end,
  restore = function(self, at) self.at = at end,
}

local function first_checkpoint_stands()
  local manifest = io.open(mt.args.first)
  return manifest and manifest:close()
end

-- For a moment only: the worker has its own part of the checkpoint to do, between two records.
local function gate(record, out)
  local till = os.clock() + seconds_a_try
  while record == "spill" and first_checkpoint_stands() do
    if os.clock() > till then return end
  end
  spilled = spilled or record == "spill"
  out:collect(record)
end

local counts = job:from(steps):flat_map(gate):key_by(function() return 1 end):process("rows", {
  state = { map = mt.map_state() },
  process_element = function(self, record, ctx, out)
    if record == "spill" then return end
    for i = 1, rows_of[record] or 0 do self.map:put(record * 10000 + i, filler) end
    if record <= checkpoints then
      requested = requested + 1
      return ctx:request_checkpoint()
    end
    local count = 0
    for _ in self.map:keys() do count = count + 1 end
    out:collect(count)
  end,
})
counts:to(mt.stdout { format = "json" })
counts:to(mt.sink { write = function() end, prepare = function() return true end, commit = function() committed = committed + 1 end })
return job
]]

describe("S42: a base that is begun where the first rows leave the cache", function()
  it("has all of them", function()
    local run = runs.new()
    finally(function() run:destroy() end)
    local words = { "run", run:write("job.lua", job), "--data", run.data, "--no-progress",
      "--set", "first=" .. run.data .. "/checkpoints/chk-1/manifest" }
    local died = attempt.run(words, { MOONTIDE_BASE_BYTES = "2340000", MOONTIDE_CRASH_POINT = "commit.after_sync:8" })
    assert.is_true(died.killed, died.err)
    local ended = attempt.run(words, {})
    assert.equal(8, ended.checkpoint, ended.err)
    assert.equal("2600\n", ended.out, ended.err)
  end)
end)
