-- The smallest keyed job: count the records of each key, answer the count for every record.
-- settings: keys, s (exponent of Zipf; 0 is uniform), interval, memory, preload (1: every key once, first),
--   path (of what mt.meter writes about gaps between batches), every (of so long, not of each checkpoint)
local mt = require "moontide"
local args = mt.args

local keys, exponent = tonumber(args.keys or 1000000), tonumber(args.s or 0)
local job = mt.job("keyed_count", {
  checkpoint = { interval = args.interval ~= "false" and (args.interval or "1s") },
  state = { backend = args.backend or "rocksdb", memory = args.memory or "256MB" },
})

job:from(mt.random_keys {
    keys = keys, distribution = exponent > 0 and "zipf" or "uniform", s = exponent > 0 and exponent or 1, every_key_first = args.preload == "1",
  })
  :key_by(function(number) return number end)
  :process("count", {
    state = { count = mt.value_state { default = 0 } },
    process_element = function(self, _, _, out)
      local count = self.count:value() + 1
      self.count:update(count)
      out:collect(count)
    end,
  })
  :to(args.path and mt.meter { path = args.path, delays = false, warm_up = args.warm_up or 0, every = args.every or 0 } or mt.blackhole {})

return job
