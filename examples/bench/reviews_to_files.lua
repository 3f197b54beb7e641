-- The running average of each vendor, a line for each review, into part files.
-- settings: input, format ("csv" or "json"), out
local mt = require "moontide"
local args = mt.args

local job = mt.job("reviews_to_files", { checkpoint = { interval = "1s" } })

job:from(mt.file { path = args.input, format = args.format })
  :key_by("vendor")
  :process("average", {
    state = { count = mt.value_state { default = 0 }, sum = mt.value_state { default = 0 } },
    process_element = function(self, review, _, out)
      local count, sum = self.count:value() + 1, self.sum:value() + review.rating
      self.count:update(count)
      self.sum:update(sum)
      out:collect { vendor = review.vendor, seq = review.seq, average = sum / count }
    end,
  })
  :to(mt.file { dir = args.out, format = args.format })

return job
