-- One key holds 90 % of the records and the sink is slow: what waits must wait in the source, not in memory.
-- settings: records (default: no end), pause_us (of the sink, for each record), interval
local ffi = require "ffi"
local mt = require "moontide"
local args = mt.args

ffi.cdef "int usleep(unsigned microseconds);"
local pause_us = tonumber(args.pause_us or 20)
local job = mt.job("skew", { checkpoint = { interval = args.interval or "1s" }, state = { memory = "16MB" } })

local function count(name)
  return {
    state = { count = mt.value_state { default = 0 } },
    process_element = function(self, record, _, out)
      self.count:update(self.count:value() + 1)
      out:collect { key = record.key, from = name, fill = record.fill }
    end,
  }
end

job:from(mt.generator { count = tonumber(args.records), seed = 7, fn = function(i, random)
    return { key = random(10) > 1 and "hot" or "cold" .. random(1000), fill = ("%04d"):format(i % 10000):rep(250) }
  end })
  :key_by("key")
  :process("first", count "first")
  :key_by(function(record) return record.key .. "!" end)
  :process("second", count "second")
  :to(mt.sink { write = function() ffi.C.usleep(pause_us) end })

return job
