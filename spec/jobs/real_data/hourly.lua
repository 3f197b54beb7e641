-- Flights in windows of an hour for each origin: aggregates of the engine, and one in Lua.
local mt = require "moontide"
local args = mt.args

local job = mt.job("hourly", { state = { backend = args.backend }, checkpoint = { interval = false, records = tonumber(args.records) } })

local hourly = job:from(mt.file { path = args.path, format = "csv", split = args.split or false })
  :assign_timestamps { field = "date", format = "%Y-%m-%d %H:%M" }
  :key_by("origin"):window(mt.tumbling { size = "1h" })

local function out(name, format) return mt.file { dir = args.out .. "/" .. name, format = format }, { name = name .. "_out" } end

hourly:count("count"):to(out("count", "json"))
hourly:sum("sum", "delay"):to(out("sum", "csv"))
hourly:aggregate("lua", {
  create = function() return { flights = 0, delay = 0, far = 0 } end,
  add = function(acc, flight)
    acc.flights, acc.delay, acc.far = acc.flights + 1, acc.delay + flight.delay, math.max(acc.far, flight.distance)
    return acc
  end,
  result = function(acc) return acc end,
}, function(key, window, found, _, collector)
  collector:collect { delay = found.delay, far = found.far, flights = found.flights, key = key, start = window.start }
end):to(out("lua", "json"))

return job
