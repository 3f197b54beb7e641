--- Rows of keyed state: one worker, one core, a checkpoint each second.
local context = require "benchmark.context"

local floor_seconds, preload_seconds_max = 3, 300

--- A row whose floor is a mode of bench_floor.
local function row(name, what, job, floor, target, reached)
  return {
    name = name, what = what, target = target, reached = reached,
    run = function(run)
      local beneath = run:floor("bench_floor", floor[1], floor[2], floor[3], floor_seconds)
      return context.compare(run:measure(job()), beneath)
    end,
  }
end

local function at_least(records_per_second, ratio)
  return function(result)
    return result.records_per_second >= records_per_second and (not ratio or result.ratio <= ratio)
  end
end

--- A function, since a run writes into its options.
local function count(settings, more)
  return function()
    local options = { script = "keyed_count", settings = settings }
    for name, value in pairs(more or {}) do options[name] = value end
    return options
  end
end

local function of(script, settings)
  return function() return { script = script, settings = settings } end
end

--- Every key comes once before the run is measured.
local function preloaded(run, settings)
  settings.preload = 1
  return run:measure {
    script = "keyed_count", settings = settings, ready = function(sample) return sample.records > settings.keys end,
    ready_seconds_max = preload_seconds_max, warm_up = 5,
  }
end

local function zipf_small_run(run)
  local floor = run:floor("bench_floor", "count", 10000000, 1, floor_seconds)
  return context.compare(preloaded(run, { keys = 10000000, s = 1, memory = "128MB" }), floor)
end

local function small_run(run)
  local memory = 256 * 2 ^ 20
  local rocksdb = run:floor("bench_rocksdb", run:path "rocksdb", 10000000, 0, memory, 15)
  local floor = run:floor("bench_floor", "count", 10000000, 0, floor_seconds)
  local figures = preloaded(run, { keys = 10000000, memory = "256MB" })
  context.compare(figures, floor)
  figures.rocksdb_ns_per_record = rocksdb.ns_per_record
  figures.times_rocksdb = rocksdb.ns_per_record / figures.ns_per_record
  figures.note = ("RocksDB alone, get and put from C, 256 MB: %.0f records/s; %.2f times that"):format(1e9 / rocksdb.ns_per_record, figures.times_rocksdb)
  return figures
end

return {
  row("keyed_count_1k", "count per key, 1 k keys", count { keys = 1000 }, { "count", 1000, 0 }, ">= 25 M/s", at_least(25e6)),
  row("keyed_count_1m", "count per key, 1 M keys", count { keys = 1000000 }, { "count", 1000000, 0 }, ">= 12 M/s, ratio <= 2", at_least(12e6, 2)),
  row("keyed_count_string", "1 M keys that are texts, two value states", of("keyed_text", { keys = 1000000 }), { "text", 1000000, 0 },
    ">= 6 M/s", at_least(6e6)),
  row("keyed_count_10m_zipf", "count per key, 10 M keys by Zipf, 1 GB", count({ keys = 10000000, s = 1, memory = "1GB" }, { warm_up = 5 }),
    { "count", 10000000, 1 }, ">= 8 M/s", at_least(8e6)),
  {
    name = "keyed_count_10m_zipf_small", what = "the same, preloaded, 128 MB", target = ">= 0.7 M/s", run = zipf_small_run, reached = at_least(0.7e6),
  },
  {
    name = "keyed_count_10m_small", what = "count per key, 10 M keys uniform, preloaded, 256 MB, beside RocksDB from C",
    target = ">= 1.5 times RocksDB from C", run = small_run, reached = function(result) return result.times_rocksdb >= 1.5 end,
  },
  row("map_state", "10 k users, one of 1000 map entries each, 2 GB", function()
    return { script = "map_state", settings = { memory = "2GB" }, warm_up = 8 }
  end, { "count", 10000000, 0 }, ">= 3 M/s", at_least(3e6)),
  row("table_records", "tables of four fields: map, filter, key_by text, a state of three numbers", of("table_records", {}),
    { "table", 100000, 0 }, ">= 2.5 M/s", at_least(2.5e6)),
}
