-- Records of the real world, read by plain Lua: what jobs over them find is computed
-- again from these lists, without the engine.
local M = {}

local minute_ms = 60 * 1000
M.hour_ms = 60 * minute_ms

--- The path of a data set that is too large to be shipped, or nil and why it is not there.
function M.find(name)
  local directory = os.getenv "MOONTIDE_DATA"
  if not directory then return nil, ("MOONTIDE_DATA does not name the directory with %s"):format(name) end
  local path = directory .. "/" .. name
  local file = io.open(path, "rb")
  if not file then return nil, path .. " is not here" end
  file:close()
  return path
end

--- Unpack a .gz file.
function M.unpack(path, target)
  assert(os.execute(("gzip -dc '%s' >'%s'"):format(path, target)) == 0, "cannot unpack " .. path)
  return target
end

-- Days since 1970 of a date of the Gregorian calendar; years begin in March here, so that the day that is there only
-- sometimes is the last one.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local leaps = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return year * 365 + leaps + math.floor((month - 3) * 30.6 + 0.5) + day - 719469
end

local days_of = setmetatable({}, { __index = function(known, date)
  local year, month, day = date:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  known[date] = days(tonumber(year), tonumber(month), tonumber(day))
  return known[date]
end })

--- Milliseconds since 1970 of "2001-01-31 23:59".
function M.milliseconds(text)
  return ((days_of[text:sub(1, 10)] * 24 + tonumber(text:sub(12, 13))) * 60 + tonumber(text:sub(15, 16))) * minute_ms
end

-- The columns of a file with a header, by lists that begin at 1; `pattern` captures them from a line.
local function read_columns(path, names, pattern, take)
  local columns = { header = nil, count = 0 }
  for _, name in ipairs(names) do columns[name] = {} end
  for line in io.lines(path) do
    if columns.header then
      columns.count = columns.count + 1
      take(columns, columns.count, line, line:match(pattern))
    else
      columns.header = line
    end
  end
  return columns
end

--- Flights, in the order of the file: lists `line`, `time`, `delay`, `distance` and `origin`.
function M.flights(path)
  local pattern = "^([^,]+),(%-?%d+),(%d+),(%w+),"
  return read_columns(path, { "line", "time", "delay", "distance", "origin" }, pattern, function(flights, i, line, date, delay, distance, origin)
    flights.line[i], flights.time[i], flights.origin[i] = line, M.milliseconds(date), origin
    flights.delay[i], flights.distance[i] = tonumber(delay), tonumber(distance)
  end)
end

--- Reviews, in the order of the file: lists `line`, `time`, `reviewer`, `rating` and `position`, that in the first collection.
function M.reviews(path)
  local pattern = "^([^,]+),(%d+),%d+,(%d+),(%d+)$"
  return read_columns(path, { "line", "time", "reviewer", "rating", "position" }, pattern, function(reviews, i, line, date, reviewer, rating, position)
    reviews.line[i], reviews.time[i] = line, M.milliseconds(date)
    reviews.reviewer[i], reviews.rating[i], reviews.position[i] = tonumber(reviewer), tonumber(rating), tonumber(position)
  end)
end

--- Earthquakes, in the order of the reports: lists `line`, `time` (of the event) and `net`.
function M.earthquakes(path)
  local quakes = { line = {}, time = {}, net = {}, count = 0 }
  for line in io.lines(path) do
    local i = quakes.count + 1
    quakes.count, quakes.line[i] = i, line
    quakes.time[i], quakes.net[i] = tonumber(line:match('"time":(%d+)')), line:match('"net":"(%w+)"')
  end
  return quakes
end

--- The numbers 1 to `count` in the order of rising `rank(i)`, those of one rank in their own order.
function M.order(count, rank)
  local buckets, ranks, order = {}, {}, {}
  for i = 1, count do
    local value = rank(i)
    local bucket = buckets[value]
    if not bucket then
      bucket = {}
      buckets[value], ranks[#ranks + 1] = bucket, value
    end
    bucket[#bucket + 1] = i
  end
  table.sort(ranks)
  for _, value in ipairs(ranks) do
    for _, i in ipairs(buckets[value]) do order[#order + 1] = i end
  end
  return order
end

--- The order of flights as they left, which is not that of their time tables.
function M.departures(flights)
  return M.order(flights.count, function(i) return flights.time[i] + math.max(flights.delay[i], 0) * minute_ms end)
end

--- Write the lines of `columns` in another order; `order` nil: in theirs.
function M.write(path, columns, order)
  local file = assert(io.open(path, "wb"))
  if columns.header then file:write(columns.header, "\n") end
  for i = 1, columns.count do file:write(columns.line[order and order[i] or i], "\n") end
  assert(file:close())
  return path
end

return M
