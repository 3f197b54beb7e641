-- A value state that is a table: flights so far and their summed delay, for each airport.
-- You will see the average delay after each flight longer than 4,000 miles, CSV in, JSON out.
local mt = require "moontide"

local job = mt.job("running_average")

job:from(mt.file { path = "examples/data/flights.csv", format = "csv" })
   :filter(function(flight) return flight.distance > 4000 end)
   :key_by("origin")
   :process("average", {
     state = { so_far = mt.value_state() },
     process_element = function(self, flight, ctx, out)
       local so_far = self.so_far:value() or { flights = 0, delay = 0 }
       so_far.flights = so_far.flights + 1
       so_far.delay = so_far.delay + flight.delay
       self.so_far:update(so_far) -- a value is a copy: without this line nothing is kept
       out:collect { airport = ctx:current_key(), flights = so_far.flights, average_delay = so_far.delay / so_far.flights }
     end,
   })
   :to(mt.stdout { format = "json" })

return job
