-- Flights as they left, in windows of the hour in which they should have left: some come late.
local mt = require "moontide"
local args = mt.args

local job = mt.job("replay", { state = { backend = args.backend }, checkpoint = { interval = false, records = tonumber(args.records) } })

local hourly = job:from(mt.file { path = args.path, format = "csv", split = args.split or false })
  :assign_timestamps { field = "date", format = "%Y-%m-%d %H:%M", max_out_of_orderness = args.bound, emit = tonumber(args.emit) }
  :key_by("origin"):window(mt.tumbling { size = "1h" }):allowed_lateness(args.lateness):side_output_late("late")

local function out(name, format) return mt.file { dir = args.out .. "/" .. name, format = format }, { name = name .. "_out" } end

local counts = hourly:count("count")
counts:to(out("count", "json"))
counts:side_output("late"):to(out("count_late", "csv"))

local delays = hourly:aggregate("delays", {
  create = function() return { flights = 0, delay = 0 } end,
  add = function(acc, flight) return { flights = acc.flights + 1, delay = acc.delay + flight.delay } end,
  result = function(acc) return acc end,
}, function(key, window, found, _, collector)
  collector:collect { delay = found.delay, flights = found.flights, key = key, start = window.start }
end)
delays:to(out("delays", "json"))
delays:side_output("late"):to(out("delays_late", "csv"))

return job
