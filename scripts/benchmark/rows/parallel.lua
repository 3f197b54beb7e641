--- Rows of two workers on two cores.
local context = require "benchmark.context"
local engine_run = require "benchmark.engine_run"
local meter = require "benchmark.meter"
local process = require "benchmark.process"

local rounds, turn_share = 4, 0.3 -- of --seconds

local function latency(run)
  local path = run:path "meter"
  local job = run:start { script = "latency", cores = "0,1", parallelism = 2, settings = { keys = 100000, rate = 1150000, path = path, warm_up = "3s" } }
  job:await()
  process.sleep(3)
  run:profile(job, math.max(2, run.seconds - 2))
  local figures = engine_run.between(job:leave_alone(run.seconds))
  job:cancel()
  local seen = meter.read(path, 2)
  figures.p50_ms, figures.p99_ms, figures.p999_ms = meter.delay_ms(seen, 50), meter.delay_ms(seen, 99), meter.delay_ms(seen, 99.9)
  figures.score = -figures.p99_ms
  figures.note = ("p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms"):format(figures.p50_ms, figures.p99_ms, figures.p999_ms)
  return figures
end

local function two_workers(run)
  local function job(cores, parallelism)
    return { script = "keyed_count", settings = { keys = 1000000 }, cores = cores, parallelism = parallelism }
  end
  local floor = run:floor("bench_floor", "count", 1000000, 0, 3)
  local one, two = unpack(run:measure_in_turns({ job("0", 1), job("0,1", 2) }, rounds, turn_share))
  context.compare(two, floor)
  two.times_one_worker = two.records_per_second / one.records_per_second
  two.one_worker_records_per_second = one.records_per_second
  two.score = two.times_one_worker
  two.note = ("one worker: %.0f records/s; two are %.2f times that"):format(one.records_per_second, two.times_one_worker)
  return two
end

--- Ten megabytes of records a second wait for one sink: with the usual rings, then with those that hold one batch.
local function skew(run)
  local function measure(ring_bytes)
    local job = run:start { script = "skew", cores = "0,1", parallelism = 2, ring_bytes = ring_bytes }
    job:await(function(sample) return sample.checkpoints >= 2 end)
    local first, last = job:watch(run.seconds)
    job:cancel()
    local figures = engine_run.between(first, last)
    figures.rss_before_mb = first.rss_mb
    return figures
  end
  local usual, smallest = measure(), measure(1)
  usual.smallest_rings_rss_mb, usual.smallest_rings_rss_before_mb = smallest.rss_mb, smallest.rss_before_mb
  usual.smallest_rings_records_per_second = smallest.records_per_second
  usual.growth_mb = math.max(usual.rss_mb - usual.rss_before_mb, smallest.rss_mb - smallest.rss_before_mb)
  usual.score = -usual.growth_mb
  usual.note = ("memory %.1f MB, then %.1f; rings of one batch: %.1f MB, then %.1f, %.0f records/s, %d checkpoints"):format(usual.rss_before_mb, usual.rss_mb,
    smallest.rss_before_mb, smallest.rss_mb, smallest.records_per_second, smallest.checkpoints)
  return usual
end

return {
  {
    name = "latency", what = "1.15 M records/s over two workers: from when a record was due to its output",
    target = "p50 <= 0.3 ms, p99 <= 2 ms, p99.9 <= 10 ms", run = latency,
    reached = function(result) return result.p50_ms <= 0.3 and result.p99_ms <= 2 and result.p999_ms <= 10 end,
  },
  {
    name = "two_workers", what = "keyed_count_1m by two workers on two cores", target = ">= 1.5 times one worker", run = two_workers,
    reached = function(result) return result.times_one_worker >= 1.5 end,
  },
  {
    name = "skew", what = "one key of 90 % of the records before a slow sink, two workers", target = "memory grows by <= 4 MB", run = skew,
    reached = function(result) return result.growth_mb <= 4 end,
  },
}
