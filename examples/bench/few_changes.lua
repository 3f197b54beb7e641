-- A large state of which little changes: every key once, then only every hundredth; checkpoints by hand.
-- settings: keys, rate, memory
local mt = require "moontide"
local args = mt.args

local keys = tonumber(args.keys or 10000000)
local job = mt.job("few_changes", { checkpoint = { interval = false }, state = { memory = args.memory or "2GB" } })

local all = job:from(mt.sequence { from = 1, to = keys }, { name = "all" })
local few = job:from(mt.random_keys { keys = keys / 100, rate = tonumber(args.rate or 300000) }, { name = "few" })

all:union(few)
  :key_by(function(number) return number end)
  :process("count", {
    state = { count = mt.value_state { default = 0 } },
    process_element = function(self, _, _, out)
      local count = self.count:value() + 1
      self.count:update(count)
      out:collect(count)
    end,
  })
  :to(mt.blackhole {})

return job
