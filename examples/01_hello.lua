-- The first five squares, each on a line of its own as JSON.
-- You will see {"n":1,"square":1} and so on to 25, in any order: each core makes some of them.
local mt = require "moontide"

local job = mt.job("hello")
job:from(mt.sequence { from = 1, to = 5 })
   :map(function(n) return { n = n, square = n * n } end)
   :to(mt.stdout { format = "json" })
return job
