-- What happens to a record that a function fails on: left out, or sent to a sink of its own.
-- You will see the price of 3 of 5 orders; of the two bad ones, one is skipped and one goes to the dead letters.
local mt = require "moontide"

local job = mt.job("errors")

job:from(mt.values {
     { order = 1, pieces = 2, price = 10 },
     { order = 2, pieces = "two", price = 10 },
     { order = 3, pieces = 4, price = 5 },
     { order = 4, pieces = 1 },
     { order = 5, pieces = 3, price = 7 },
   })
   :process("check", {
     on_error = "skip",
     process_element = function(_, order, _, out)
       if type(order.pieces) ~= "number" then error("pieces is no number") end
       out:collect(order)
     end,
   })
   :process("price", {
     on_error = { dead_letter = mt.stdout { format = "json" } },
     process_element = function(_, order, _, out)
       out:collect { order = order.order, total = order.pieces * order.price }
     end,
   })
   :to(mt.stdout { format = "json" })

return job
