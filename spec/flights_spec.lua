-- The main job's results, computed again from the file by other means: sums of whole numbers instead of running means.
local example = require "support.example"
local temporary = require "support.temporary"

local function read_flights()
  local list = {}
  for line in io.lines("examples/data/flights.csv") do
    local date, delay, origin, destination = line:match("^([^,]+),(%-?%d+),%d+,(%w+),(%w+)$")
    if date then list[#list + 1] = { date = date, delay = tonumber(delay), origin = origin, destination = destination } end
  end
  return list
end

--- Above the mean of the airport's flights before it by more than four standard deviations, once there are 30.
local function is_unusual(airport, delay)
  local n, sum, squares = airport.flights, airport.sum, airport.squares
  if n < 30 then return false end
  return n * delay - sum > 4 * math.sqrt(n * squares - sum * sum)
end

local function compute(flights)
  local airports, unusual = {}, {}
  for _, flight in ipairs(flights) do
    local airport = airports[flight.origin] or { flights = 0, sum = 0, squares = 0, late = 0, worst = 0 }
    airports[flight.origin] = airport
    if is_unusual(airport, flight.delay) then
      local usual = math.floor(airport.sum / airport.flights + 0.5)
      unusual[#unusual + 1] = ('{"date":"%s","delay":%d,"destination":"%s","origin":"%s","usual":%d}'):format(
        flight.date, flight.delay, flight.destination, flight.origin, usual)
    end
    airport.flights, airport.sum = airport.flights + 1, airport.sum + flight.delay
    airport.squares = airport.squares + flight.delay * flight.delay
    if flight.delay >= 15 then airport.late = airport.late + 1 end
    airport.worst = math.max(airport.worst, flight.delay)
  end
  return airports, unusual
end

--- The airports with 200 flights or more, most often late first.
local function rank(airports)
  local list = {}
  for name, airport in pairs(airports) do
    airport.name = name
    if airport.flights >= 200 then list[#list + 1] = airport end
  end
  table.sort(list, function(a, b)
    local left, right = a.late * b.flights, b.late * a.flights
    return left > right or (left == right and a.name < b.name)
  end)
  return list
end

local function row(airport)
  return ("%s %d %.0f %.0f %d"):format(airport.name, airport.flights, 100 * airport.late / airport.flights,
    airport.sum / airport.flights, airport.worst)
end

describe("the main job", function()
  local flights = read_flights()
  local airports, unusual = compute(flights)
  local ranking = rank(airports)
  local directory

  before_each(function() directory = temporary.folder() end)
  after_each(function() temporary.remove(directory) end)

  local function start(options, environment)
    return example.run("examples/flights.lua", options .. " --set out=" .. directory .. "/out", environment)
  end

  local function run(options)
    local out, status, err = start(options)
    assert.are.equal(0, status, err)
    local lines = {}
    for _, text in ipairs(example.parts(directory .. "/out")) do
      for _, line in ipairs(example.lines(text)) do lines[#lines + 1] = line end
    end
    table.sort(lines)
    return out, lines, err
  end

  local function assert_unusual(lines)
    local wanted = { unpack(unusual) }
    table.sort(wanted)
    assert.are.same(wanted, lines)
  end

  local function assert_ranking(out)
    local rows, count, late = {}, 0, 0
    for _, airport in pairs(airports) do count, late = count + 1, late + airport.late end
    local head = ("%d flights from %d airports, %.1f %% of them late.\n"):format(#flights, count, 100 * late / #flights)
    assert.are.equal(head, out:sub(1, #head))
    for name, seen, often, mean, worst in out:gmatch("\n(%u%u%u) +(%d+) +(%d+) %% +(%-?%d+) min +(%d+) min") do
      rows[#rows + 1] = table.concat({ name, seen, often, mean, worst }, " ")
    end
    for i, airport in ipairs(ranking) do assert.are.equal(row(airport), rows[i]) end
    assert.are.equal(#ranking, #rows)
  end

  it("has two days of flights to read", function()
    assert.are.equal(31678, #flights)
    assert.is_true(#unusual > 50)
    assert.is_true(#ranking > 20)
  end)

  for parallelism = 1, 2 do
    local options = ("--parallelism %d --set rows=%d"):format(parallelism, #ranking)

    it("ranks the airports as a plain computation does at parallelism " .. parallelism, function()
      assert_ranking(run(options))
    end)

    it("writes the flights that are late beyond custom to part files at parallelism " .. parallelism, function()
      assert_unusual(select(2, run(options)))
    end)

    -- Dead by its second checkpoint, which may have come when all flights were read: then there is nothing left to rank.
    local function run_in_two()
      temporary.remove(directory)
      directory = temporary.folder()
      local with_data = options .. " --data " .. directory .. "/data"
      local _, status = start(with_data, "MOONTIDE_CRASH_POINT=commit.after_rename:2")
      assert.are.equal(137, status)
      return run(with_data)
    end

    it("S42: killed half-way and started again, gives the same at parallelism " .. parallelism, function()
      local out, lines, err
      for _ = 1, 40 do
        out, lines, err = run_in_two()
        assert.is_truthy(err:find("goes on from checkpoint 2", 1, true), err)
        assert_unusual(lines)
        if out ~= "" then break end
      end
      assert_ranking(out)
    end)
  end
end)
