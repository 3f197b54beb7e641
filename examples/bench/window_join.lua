-- Rows { key, time, value } of odd and of even value, which meet one of the other kind in their window on average.
-- settings: keys, per_ms (of both kinds), size, interval, memory
local mt = require "moontide"
local args = mt.args

local job = mt.job("window_join", {
  checkpoint = { interval = args.interval ~= "false" and (args.interval or "1s") },
  state = { backend = args.backend or "rocksdb", memory = args.memory or "256MB" },
})

local rows = job:from(mt.random_keys {
  keys = tonumber(args.keys or 10000), shape = "row", time_field = true, rate_per_ms = tonumber(args.per_ms or 10),
}):assign_timestamps { field = "time" }

local odd = rows:filter(function(row) return row.value % 2 == 1 end)
local even = rows:filter(function(row) return row.value % 2 == 0 end)

odd:join(even, { left = "key", right = "key" }):window(mt.tumbling { size = args.size or "2s" })
  :apply("pairs", function(left, right) return { key = left.key, left = left.value, right = right.value } end)
  :to(mt.blackhole {})

return job
