-- Keys that are texts, two value states: a count and a sum for each account.
-- settings: keys, interval, memory
local mt = require "moontide"
local args = mt.args

local job = mt.job("keyed_text", { checkpoint = { interval = args.interval or "1s" }, state = { memory = args.memory or "256MB" } })

job:from(mt.random_keys { keys = tonumber(args.keys or 1000000), shape = "string" })
  :key_by("key")
  :process("account", {
    state = { count = mt.value_state { default = 0 }, sum = mt.value_state { default = 0 } },
    process_element = function(self, record, _, out)
      local count = self.count:value() + 1
      self.count:update(count)
      self.sum:update(self.sum:value() + record.value)
      out:collect(count)
    end,
  })
  :to(mt.blackhole {})

return job
