-- How long a record takes from when it was due to its output, through a step keyed by its field.
-- settings: keys, rate, path (of what mt.meter writes), warm_up
local mt = require "moontide"
local args = mt.args

local job = mt.job("latency", { checkpoint = { interval = args.interval or "1s" } })

job:from(mt.random_keys { keys = tonumber(args.keys or 100000), shape = "row", rate = tonumber(args.rate or 1150000), due = true })
  :key_by("key")
  :process("count", {
    state = { count = mt.value_state { default = 0 } },
    process_element = function(self, record, _, out)
      self.count:update(self.count:value() + 1)
      out:collect(record.value)
    end,
  })
  :to(mt.meter { path = args.path, warm_up = args.warm_up or "2s" })

return job
