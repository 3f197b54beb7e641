-- Two days of real flights: figures for every airport, kept as state while the flights go by.
-- You will see the airports ranked by how often they are late; flights late beyond all custom of their airport go to part files.
--
-- options: --set flights=FILE.csv   --set out=DIR (of the part files)   --set rows=N (of the ranking)
local mt = require "moontide"

local late_minutes = 15       -- from when on the US Bureau of Transportation Statistics calls a flight late
local flights_judged_min = 30 -- an airport's custom is known from here on
local flights_ranked_min = 200 -- fewer say little about an airport
local rows = tonumber(mt.args.rows or 12)

local job = mt.job("flights", { checkpoint = { interval = "1s", records = 10000 } })

local function new_figures()
  return { flights = 0, late = 0, worst = 0, mean = 0, spread = 0 }
end

--- Beyond all custom: four standard deviations above the mean of the flights before it.
local function is_unusual(figures, delay)
  return figures.flights >= flights_judged_min and delay > figures.mean + 4 * math.sqrt(figures.spread / figures.flights)
end

--- Mean and sum of squared deviations in one pass, after Welford.
local function add_flight(figures, delay)
  local before = delay - figures.mean
  figures.flights = figures.flights + 1
  figures.mean = figures.mean + before / figures.flights
  figures.spread = figures.spread + before * (delay - figures.mean)
  figures.worst = math.max(figures.worst, delay)
  if delay >= late_minutes then figures.late = figures.late + 1 end
end

local airports = job:from(mt.file { path = mt.args.flights or "examples/data/flights.csv", format = "csv" }, { name = "flights" })
   :key_by("origin")
   :process("airports", {
     state = { figures = mt.value_state() },
     process_element = function(self, flight, ctx, out)
       local figures = self.figures:value() or new_figures()
       if is_unusual(figures, flight.delay) then
         ctx:output("unusual", { date = flight.date, origin = flight.origin, destination = flight.destination,
                                 delay = flight.delay, usual = math.floor(figures.mean + 0.5) })
       end
       add_flight(figures, flight.delay)
       self.figures:update(figures)
       out:collect { airport = flight.origin, flights = figures.flights, late = figures.late, worst = figures.worst, mean = figures.mean }
     end,
   })

airports:side_output("unusual"):to(mt.file { dir = mt.args.out or "build/flights", format = "json" }, { name = "unusual" })

-- The newest figures of all airports meet under one key. They are state as well, since the sink behind forgets when it is restarted:
-- the first flight after that sends all of them again.
local newest = airports:key_by(function() return "all" end)
   :process("newest", {
     state = { newest = mt.map_state() },
     open = function(self) self.sent_all = false end,
     process_element = function(self, figures, _, out)
       self.newest:put(figures.airport, figures)
       if self.sent_all then return out:collect(figures) end
       for _, each in self.newest:entries() do out:collect(each) end
       self.sent_all = true
     end,
   })

local function print_row(figures)
  local share = figures.late / figures.flights
  print(("%-7s %8d %4.0f %% %4.0f min %5.0f min  %s"):format(
    figures.airport, figures.flights, 100 * share, figures.mean, figures.worst, ("█"):rep(math.floor(40 * share + 0.5))))
end

local function print_ranking(all)
  local busy, flights, late, count = {}, 0, 0, 0
  for _, figures in pairs(all) do
    flights, late, count = flights + figures.flights, late + figures.late, count + 1
    if figures.flights >= flights_ranked_min then busy[#busy + 1] = figures end
  end
  table.sort(busy, function(a, b)
    local left, right = a.late * b.flights, b.late * a.flights
    return left > right or (left == right and a.airport < b.airport)
  end)
  print(("%d flights from %d airports, %.1f %% of them late."):format(flights, count, 100 * late / flights))
  print(("Most often late, of the %d airports with %d flights or more:\n"):format(#busy, flights_ranked_min))
  print("airport  flights   late     mean     worst")
  for i = 1, math.min(rows, #busy) do print_row(busy[i]) end
end

newest:to(mt.sink {
  open = function(self) self.all = {} end,
  write = function(self, figures) self.all[figures.airport] = figures end,
  close = function(self)
    if next(self.all) then print_ranking(self.all) end
  end,
}, { name = "ranking" })

return job
