--- Rows that read a file and write part files.
local context = require "benchmark.context"
local process = require "benchmark.process"

local rows_made, seed = 20000000, 1
-- Read so often, or the job would end before it has run for 5 s.
local times = 3

--- The reviews of the seed in this format, made once and kept beside the build.
local function made_input(format)
  local directory = context.build .. "/bench-data"
  local path = ("%s/reviews-%d-%d.%s"):format(directory, rows_made, seed, format)
  if process.read_file(path .. ".made") then return path end
  process.capture { "mkdir", "-p", directory }
  local _, status = process.capture { context.build .. "/bench_reviews", format, tostring(rows_made), tostring(seed), path }
  if status ~= 0 then error("the input could not be made: " .. path, 0) end
  assert(io.open(path .. ".made", "w")):close()
  return path
end

--- The file given by --input, where it is of this format, or the one that is made.
local function input_of(run, format)
  local given = run.given.input
  return given and given:find("%." .. format) and given or made_input(format)
end

-- The file under several names: the pattern that finds them.
local function repeated(run, input)
  local name, whole = input:match "[^/]*$", process.capture({ "realpath", input }):gsub("%s+$", "")
  for i = 1, times do
    local _, status = process.capture { "ln", "-s", whole, run:path(i .. "-" .. name) }
    if status ~= 0 then error("no link to the input could be made: " .. input, 0) end
  end
  return run:path("*-" .. name)
end

local function read_and_write(format)
  return function(run)
    local input = input_of(run, format)
    local floor = run:floor("bench_files", format, input, run:path "floor.out", 5)
    local figures = run:measure {
      script = "reviews_to_files", warm_up = 1, seconds = math.min(run.seconds, 5),
      settings = { input = repeated(run, input), format = format, out = run:path "out" },
    }
    return context.compare(figures, floor)
  end
end

return {
  {
    name = "csv_to_files", what = "20 M reviews as CSV, three times, running average per vendor, part files", target = ">= 2.5 M/s",
    run = read_and_write "csv", reached = function(result) return result.records_per_second >= 2.5e6 end,
  },
  {
    name = "json_to_files", what = "the same as JSON lines", target = ">= 2 M/s, ratio <= 5",
    run = read_and_write "json", reached = function(result) return result.records_per_second >= 2e6 and result.ratio <= 5 end,
  },
}
