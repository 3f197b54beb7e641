-- One timer of event time for each record, a second later: it emits the key's value and clears it.
-- settings: keys, per_ms, delay (milliseconds), interval, memory
local mt = require "moontide"
local args = mt.args

local delay = tonumber(args.delay or 1000)
local job = mt.job("timers", {
  checkpoint = { interval = args.interval ~= "false" and (args.interval or "1s") },
  state = { backend = args.backend or "rocksdb", memory = args.memory or "256MB" },
})

job:from(mt.random_keys {
    keys = tonumber(args.keys or 100000), shape = "row", time_field = true, rate_per_ms = tonumber(args.per_ms or 100),
  })
  :assign_timestamps { field = "time" }
  :key_by("key")
  :process("reminder", {
    state = { last = mt.value_state() },
    process_element = function(self, record, ctx, _)
      self.last:update(record.value)
      ctx:timers():register_event_time_timer(ctx:timestamp() + delay)
    end,
    on_timer = function(self, _, _, out)
      out:collect(self.last:value() or 0)
      self.last:clear()
    end,
  })
  :to(mt.blackhole {})

return job
