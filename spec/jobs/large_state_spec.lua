-- A table so large that, where a core is left for it, its rows are written beside the worker
-- (engine/state/walker.c), in whole jobs that are killed.
local testing = require "moontide.testing"

local keys, rounds = 70000, 40

local function script()
  local mt = require "moontide"
  local keys, rounds = 70000, 40 -- once more: the job is sent as byte code, without upvalues
  local job = mt.job("large", { checkpoint = { interval = "20ms" }, state = { backend = mt.args.backend } })
  job:from(mt.sequence { from = 0, to = keys * rounds - 1, rate = 1000000 })
    :key_by(function(n) return n % keys end)
    :process("count", {
      state = { count = mt.value_state { default = 0 }, last = mt.value_state { default = -1 } },
      process_element = function(self, n, _, out)
        self.count:update(self.count:value() + 1)
        local before = self.last:value()
        self.last:update(n)
        if n >= keys * (rounds - 1) then out:collect { key = n % keys, count = self.count:value(), before = before } end
      end,
    })
    :to(mt.collect { name = "last" })
  return job
end

describe("a large state", function()
  for _, backend in ipairs { "rocksdb", "memory" } do
    it("S33, S42b: is written and restored whole, with kills, over " .. backend, function()
      local result = testing.run(script, { parallelism = 1, args = { backend = backend }, kill_after = { checkpoints = 8, times = 3 } })
      assert.are.equal(3, result.kills)
      local seen = {}
      for _, value in ipairs(result.sinks.last) do
        assert.are.equal(rounds, value.count)
        assert.are.equal(value.key + keys * (rounds - 2), value.before)
        seen[value.key] = (seen[value.key] or 0) + 1
      end
      for key = 0, keys - 1 do assert.are.equal(1, seen[key]) end
    end)
  end
end)
