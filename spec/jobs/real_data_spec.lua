-- Windows over data of the real world, whole and killed in the middle, beside what plain
-- Lua finds in the same lines. The data sets that are shipped are cut small; MOONTIDE_DATA
-- names the directory of the whole ones.
local example = require "support.example"
local real_data = require "support.real_data"
local real_windows = require "support.real_windows"
local row_set = require "support.row_set"
local temporary = require "support.temporary"

local minute_ms = 60 * 1000

-- Killed at each of these, one run after the other; each goes on from the last checkpoint before. A small set may be
-- read to its end when the first checkpoint begins.
local small_kills = { "checkpoint.acknowledged:1", "commit.after_rename:1", "recover.after_run:1" }
local large_kills = { "checkpoint.acknowledged:3", "commit.after_rename:2", "sink.before_rename:1" }

local function words(settings)
  local list = {}
  for name, value in pairs(settings) do list[#list + 1] = ("--set %s=%s"):format(name, tostring(value)) end
  table.sort(list)
  return table.concat(list, " ")
end

-- Run a job; `stages` lists runs that end by a kill, `{ point, parallelism }`.
local function run(directory, name, parallelism, settings, stages)
  settings.out = directory .. "/out"
  local options = ("--data '%s/data' %s"):format(directory, words(settings))
  local script = ("spec/jobs/real_data/%s.lua"):format(name)
  for _, stage in ipairs(stages or {}) do
    local _, status, err = example.run(script, options .. " --parallelism " .. stage[2], "MOONTIDE_CRASH_POINT=" .. stage[1])
    assert.are.equal(137, status, err)
  end
  local _, status, err = example.run(script, options .. " --parallelism " .. parallelism)
  assert.are.equal(0, status, err)
  if stages then assert.is_truthy(err:find("goes on from checkpoint", 1, true), err) end
end

local function killed_at(kills, parallelism)
  local stages = {}
  for i, point in ipairs(kills) do stages[i] = { point, parallelism } end
  return stages
end

local headers = { sum = real_windows.sum_header, count_late = real_windows.late_header, delays_late = real_windows.late_header }

local function written(directory, sink)
  return row_set.read(directory .. "/out/" .. sink, headers[sink])
end

local function check(directory, expected, what)
  for sink, rows in pairs(expected) do row_set.assert_same(rows, written(directory, sink), what .. ", " .. sink) end
end

-- Tests that run jobs in a directory of their own.
local function each(name, body)
  it(name, function()
    local directory = temporary.folder()
    local ok, failure = pcall(body, directory)
    temporary.remove(directory)
    if not ok then error(failure, 0) end
  end)
end

-- The job finds `expected`, whole and killed, at all parallelisms, killed ones at others than before, on both backends.
local function finds(job, title, path, size, expected, settings)
  local function plain(more)
    local all = { path = path(), records = size.records }
    for _, part in ipairs { settings or {}, more or {} } do
      for name, value in pairs(part) do all[name] = value end
    end
    return all
  end
  for _, parallelism in ipairs { 1, 2, 4 } do
    each(("%s at parallelism %d"):format(title, parallelism), function(directory)
      run(directory, job, parallelism, plain())
      check(directory, expected(), "whole")
    end)

    each(("%s at parallelism %d, killed three times"):format(title, parallelism), function(directory)
      run(directory, job, parallelism, plain(), killed_at(size.kills, parallelism))
      check(directory, expected(), "killed")
    end)
  end

  each(title .. " in splits, killed at parallelism 2, then at 4, then at 1", function(directory)
    run(directory, job, 3, plain { split = size.split }, { { size.kills[1], 2 }, { size.kills[2], 4 }, { size.kills[3], 1 } })
    check(directory, expected(), "rescaled")
  end)

  each(title .. " in memory, killed three times", function(directory)
    run(directory, job, 2, plain { backend = "memory", split = size.split }, killed_at(size.kills, 2))
    check(directory, expected(), "memory")
  end)
end

-- What a data set has: its plain file `path`, a `directory` for more of them, and its lists as `columns`.
local function with_file(source, load)
  local data = {}
  lazy_setup(function()
    data.directory = temporary.folder()
    data.path = source:find("%.gz$") and real_data.unpack(source, data.directory .. "/data.csv") or source
    data.columns = load(data.path)
  end)
  lazy_teardown(function()
    temporary.remove(data.directory)
    for name in pairs(data) do data[name] = nil end
  end)
  -- What is computed once for several tests.
  function data.once(name, compute)
    return function()
      data[name] = data[name] or compute()
      return data[name]
    end
  end
  return data
end

local function replay_specs(data, size)
  local given = { bound = 30 * minute_ms, lateness = 60 * minute_ms, emit = 1000 }
  local order = data.once("order", function() return real_data.departures(data.columns) end)
  local path = data.once("replayed", function() return real_data.write(data.directory .. "/replay.csv", data.columns, order()) end)

  local function settings(more)
    local all = { path = path(), records = size.records, bound = given.bound .. "ms", lateness = given.lateness .. "ms", emit = given.emit }
    for name, value in pairs(more or {}) do all[name] = value end
    return all
  end
  local expected = data.once("replay", function()
    local rows = real_windows.replay(data.columns, order(), given)
    assert(rows.late.count > 100)
    return { count = rows.count, delays = rows.delays, count_late = rows.late, delays_late = rows.late }
  end)

  for _, parallelism in ipairs { 1, 2, 4 } do
    each("S20, S23, S25: replayed as they left, fire again and come late at parallelism " .. parallelism, function(directory)
      run(directory, "replay", parallelism, settings())
      check(directory, expected(), "replayed")
    end)

    each("S9: the same killed three times at parallelism " .. parallelism, function(directory)
      run(directory, "replay", parallelism, settings(), killed_at(size.kills, parallelism))
      check(directory, expected(), "killed")
    end)
  end

  -- One reader of the whole file that tells of time after each record: later than this nothing may be.
  local latest = data.once("latest", function()
    return real_windows.replay(data.columns, order(), { bound = given.bound, lateness = given.lateness, emit = 1 }).late
  end)
  for _, parallelism in ipairs { 1, 2, 4 } do
    each("S13: in splits nothing is late that is not so for one reader, at parallelism " .. parallelism, function(directory)
      run(directory, "replay", parallelism, settings { split = size.split, emit = 1 })
      for _, sink in ipairs { "count_late", "delays_late" } do row_set.assert_part(written(directory, sink), latest(), sink) end
      real_windows.check_replay(data.columns, written(directory, "count"), written(directory, "count_late"))
    end)
  end
end

local function flights_specs(source, size)
  local data = with_file(source, real_data.flights)

  it("have as many windows as they should", function()
    local rows = real_windows.hourly(data.columns)
    assert.are.same({ size.flights, size.windows }, { data.columns.count, rows.count.count })
  end)

  finds("hourly", "T2: counts, sums and accumulators of flights by hour and origin", function() return data.path end, size,
    data.once("hourly", function() return real_windows.hourly(data.columns) end))
  replay_specs(data, size)
end

local function sessions_specs(source, size)
  local data = with_file(source, real_data.reviews)
  local expected = data.once("sessions", function() return real_windows.sessions(data.columns) end)

  it("have as many sessions as they should", function()
    assert.are.same({ size.reviews, size.sessions }, { data.columns.count, expected().count.count })
  end)

  finds("sessions", "S29: sessions of reviewers", function() return data.path end, size, expected, { bound = "0ms" })

  -- In the order of the collection, in which times are mixed: windows merge in all ways until the end.
  each("S29: sessions of reviewers in another order, killed three times", function(directory)
    local order = real_data.order(data.columns.count, function(i) return data.columns.position[i] end)
    local path = real_data.write(data.directory .. "/mixed.csv", data.columns, order)
    run(directory, "sessions", 2, { path = path, records = size.records, bound = "4000d" }, killed_at(size.kills, 2))
    check(directory, expected(), "mixed")
  end)
end

describe("flights of two days", function()
  flights_specs("examples/data/flights.csv", { flights = 31678, windows = 4590, records = 4000, split = "64KB", kills = small_kills })
end)

describe("earthquakes", function()
  local data = with_file("examples/data/earthquakes.jsonl", real_data.earthquakes)
  finds("quakes", "S29: swarms, all elements of them", function() return data.path end,
    { records = 200, split = "16KB", kills = small_kills }, data.once("swarms", function() return real_windows.swarms(data.columns) end))
end)

local function whole(name, specs, size)
  local path, reason = real_data.find(name)
  if path then return specs(path, size) end
  it("are there", function()
    print("SKIPPED: " .. reason)
    pending(reason)
  end)
end

describe("a million flights", function()
  whole("flights-2001q1.csv.gz", flights_specs, { flights = 1000000, windows = 143266, records = 100000, split = "1MB", kills = large_kills })
end)

describe("reviews", function()
  whole("reviews.csv.gz", sessions_specs, { reviews = 578805, sessions = 527931, records = 60000, split = "1MB", kills = large_kills })
end)
