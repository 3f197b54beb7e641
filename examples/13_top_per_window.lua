-- Windows behind windows: flights of each airport in six hours, then the three largest of each six hours.
-- You will see three airports for each of eight windows.
local mt = require "moontide"

local job = mt.job("top_per_window")

local function by_flights(a, b)
  return a.count > b.count or (a.count == b.count and a.key < b.key)
end

job:from(mt.file { path = "examples/data/flights.csv", format = "csv" })
   :assign_timestamps { field = "date", format = "%Y-%m-%d %H:%M" }
   :key_by("origin")
   :window(mt.tumbling { size = "6h" })
   :count("flights")
   :key_by("window_end")
   :window(mt.tumbling { size = "6h" }) -- what a window emits has its last millisecond as time: the same six hours
   :process("top", function(window_end, window, airports, ctx, out)
     table.sort(airports, by_flights)
     for rank = 1, math.min(3, #airports) do
       out:collect { from = os.date("!%d %H:%M", window.start / 1000), rank = rank, airport = airports[rank].key, flights = airports[rank].count }
     end
   end)
   :to(mt.stdout { format = "json" })

return job
