-- Windows of an hour: flights from Atlanta by the hour in which they really left.
-- You will see every hour when it is over, some again as flights are added that left before their time, and eight flights that came too late.
local mt = require "moontide"

local job = mt.job("windows", { parallelism = 1 })

local hours = job:from(mt.file { path = "examples/data/flights.csv", format = "csv" })
   :filter(function(flight) return flight.origin == "ATL" end)
   :assign_timestamps { field = "date", format = "%Y-%m-%d %H:%M", emit = 1 } -- the schedule is the clock
   :process("departures", function(flight, ctx, out)
     out:collect(flight, ctx:timestamp() + flight.delay * 60000)
   end)
   :key_by("origin")
   :window(mt.tumbling { size = "1h" })
   :allowed_lateness("5m")   -- the hour is kept for so long, and emitted again with each flight
   :side_output_late("late") -- behind that, flights go here
   :count("hourly")

local function clock(time) return os.date("!%d %H:%M", time / 1000) end

hours:map(function(hour) return { from = clock(hour.window_start), to = clock(hour.window_end), flights = hour.count } end)
     :to(mt.stdout { format = "json" })
hours:side_output("late"):to(mt.stdout { format = "json" })

return job
