-- Survives kill -9: state, the place in the input and the files of the sink move together, by checkpoints.
-- You will see part files in build/exactly_once/out; kill the run and start it again: each number is there once.
local mt = require "moontide"

local home = mt.args.home or "build/exactly_once"
local job = mt.job("exactly_once", { data = home .. "/data", checkpoint = { records = 50000 } })

job:from(mt.sequence { from = 1, to = tonumber(mt.args.to or 1000000) })
   :key_by(function(n) return n % 10 end)
   :process("sums", {
     state = { sum = mt.value_state { default = 0 } },
     process_element = function(self, n, ctx, out)
       local sum = self.sum:value() + n
       self.sum:update(sum)
       out:collect { digit = ctx:current_key(), n = n, sum = sum }
     end,
   })
   :to(mt.file { dir = home .. "/out", format = "csv" })

return job
