-- A base that is begun while no row has left the cache, at a worker that is busy until the first ones do: what is in
-- the cache is not all there is any more. The rows of the first checkpoint are the first to leave it, and a base takes
-- the place of their delta.
local attempt = require "faults.chaos.attempt"
local runs = require "support.run"

local job = [[
local mt = require "moontide"
local ffi = require "ffi"
pcall(ffi.cdef, "int usleep(unsigned microseconds);")
local filler, rows_of, last = ("x"):rep(1000), { [2] = 1000, [10] = 1000, [11] = 600 }, 60
local job = mt.job("spill", { parallelism = 1, checkpoint = { interval = false }, restart = { strategy = "none" },
  state = { backend = "rocksdb", memory = mt.args.memory } })

-- One record at a time, so that each is a batch.
local numbers = mt.source {
  open = function(self) self.at = self.at or 0 end,
  poll = function(self, out)
    if self.at == last then return "end" end
    self.at = self.at + 1
    out:collect(self.at)
    return true
  end,
  snapshot = function(self) return self.at end,
  restore = function(self, at) self.at = at end,
}

job:from(numbers)
  :key_by(function() return 1 end)
  :process("p", {
    state = { map = mt.map_state() },
    process_element = function(self, n, ctx, out)
      for i = 1, rows_of[n] or 0 do self.map:put(n * 1000 + i, filler) end
      ffi.C.usleep(n == 11 and 300000 or 10000)
      if n % 8 == 2 then ctx:request_checkpoint() end
      if n < last then return end
      local count = 0
      for _ in self.map:keys() do count = count + 1 end
      out:collect(count)
    end,
  })
  :to(mt.stdout { format = "json" })
return job
]]

describe("S42: a base that is begun where the first rows leave the cache", function()
  local run
  before_each(function() run = runs.new() end)
  after_each(function() run:destroy() end)

  for _, memory in ipairs { "2600KB", "2800KB", "3200KB" } do
    it("has all of them, with " .. memory, function()
      local words = { "run", run:write("job.lua", job), "--data", run.data, "--no-progress", "--set", "memory=" .. memory }
      local died = attempt.run(words, { MOONTIDE_BASE_BYTES = "1800000", MOONTIDE_CRASH_POINT = "commit.after_sync:5" })
      assert.is_true(died.killed, died.err)
      local ended = attempt.run(words, {})
      assert.equal(5, ended.checkpoint, ended.err)
      assert.equal("2600\n", ended.out, ended.err)
    end)
  end
end)
