-- Rows { key, time, value } of odd and of even value, which meet one of the other kind on average.
-- settings: keys, per_ms (of both kinds), reach (milliseconds before and after), interval, memory
local mt = require "moontide"
local args = mt.args

local job = mt.job("interval_join", {
  checkpoint = { interval = args.interval ~= "false" and (args.interval or "1s") },
  state = { backend = args.backend or "rocksdb", memory = args.memory or "256MB" },
})

local rows = job:from(mt.random_keys {
  keys = tonumber(args.keys or 10000), shape = "row", time_field = true, rate_per_ms = tonumber(args.per_ms or 100),
}):assign_timestamps { field = "time" }

local odd = rows:filter(function(row) return row.value % 2 == 1 end):key_by("key")
local even = rows:filter(function(row) return row.value % 2 == 0 end):key_by("key")

local reach = tonumber(args.reach or 100)
odd:interval_join(even, { lower = -reach, upper = reach })
  :process("pairs", function(left, right, _, out) out:collect { key = left.key, left = left.value, right = right.value } end)
  :to(mt.blackhole {})

return job
