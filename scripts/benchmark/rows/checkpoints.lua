--- Rows about checkpoints: what they hold up, what they cost, what they write.
local engine_run = require "benchmark.engine_run"
local meter = require "benchmark.meter"
local process = require "benchmark.process"

local stalls_wanted = 30
local rounds, turn_share = 10, 0.3 -- of --seconds

local function count_run(run, interval, more)
  local settings = { keys = 1000000, interval = interval }
  for name, value in pairs(more or {}) do settings[name] = value end
  return { script = "keyed_count", cores = "0,1", settings = settings }
end

--- The longest gaps around checkpoints of a million dirty keys, in a run long enough for 30 of them; or of each second.
--- From barrier to barrier; those while a checkpoint is under way, from its barrier to its end, are shown beside them.
local function gaps_of(run, interval, every)
  local path = run:path("meter-" .. interval)
  local job = run:start(count_run(run, interval, { path = path, warm_up = "2s", every = every }))
  job:await()
  process.sleep(2)
  run:profile(job, 10)
  local first, last = job:leave_alone(stalls_wanted + 2)
  job:cancel()
  return engine_run.between(first, last), meter.read(path, 1)
end

--- Records a second without checkpoints, with one each second, with one each 50 ms.
local function rates(run)
  local figures = run:measure_in_turns({ count_run(run, "false"), count_run(run, "1s"), count_run(run, "50ms") }, rounds, turn_share)
  local without, each_second, each_50_ms = unpack(figures)
  return { without = without.records_per_second, each_second = each_second.records_per_second, each_50_ms = each_50_ms.records_per_second,
    checkpoints = each_50_ms.checkpoints }
end

local function stall(run)
  local figures, seen = gaps_of(run, "1s")
  local _, without = gaps_of(run, "false", "1s")
  local loop = run:floor("bench_gaps", stalls_wanted + 2)
  local rate = rates(run)
  figures.gap_p50_ms, figures.gap_p99_ms, figures.gaps = meter.gap_ms(seen.gaps, 50), meter.gap_ms(seen.gaps, 99), #seen.gaps
  figures.gap_without_p50_ms, figures.gap_without_p99_ms = meter.gap_ms(without.gaps, 50), meter.gap_ms(without.gaps, 99)
  figures.floor_gap_p50_ms, figures.floor_gap_p99_ms = loop.gap_p50_ms, loop.gap_p99_ms
  figures.stall_p50_ms, figures.stall_p99_ms, figures.stalls = meter.gap_ms(seen.stalls, 50), meter.gap_ms(seen.stalls, 99), #seen.stalls
  figures.share_each_second = rate.each_second / rate.without
  figures.share_each_50_ms = rate.each_50_ms / rate.without
  figures.score = -figures.gap_p99_ms
  local gaps = ("largest gap: median %.2f ms, p99 of %d %.2f ms (while a checkpoint is under way %.2f and %.2f; of each second without checkpoints "
    .. "%.2f and %.2f, of a bare C loop %.2f and %.2f)"):format(figures.gap_p50_ms, figures.gaps, figures.gap_p99_ms, figures.stall_p50_ms,
    figures.stall_p99_ms, figures.gap_without_p50_ms, figures.gap_without_p99_ms, figures.floor_gap_p50_ms, figures.floor_gap_p99_ms)
  figures.note = ("%s; throughput: each second %.0f %%, each 50 ms %.0f %% (%d taken) of %.0f records/s"):format(
    gaps, figures.share_each_second * 100, figures.share_each_50_ms * 100, rate.checkpoints, rate.without)
  return figures
end

--- All keys are there once the records come no faster than the rate of the few.
local function all_keys_there(keys, rate)
  local before
  return function(sample)
    local slow = before and (sample.records - before.records) / (sample.at - before.at) < 1.3 * rate
    before = sample
    return slow and sample.records > keys
  end
end

local function small(run)
  local keys, rate = 10000000, 300000
  local job = run:start { script = "few_changes", settings = { keys = keys, rate = rate, memory = "2GB" } }
  local begin = job:await(all_keys_there(keys, rate), 120)
  job:checkpoint()
  local full = job:sample()
  process.sleep(3)
  job:checkpoint()
  local last = job:sample()
  job:cancel()
  local figures = engine_run.between(begin, last)
  figures.full_bytes, figures.small_bytes = full.last_bytes, last.last_bytes
  figures.share = last.last_bytes / full.last_bytes
  figures.score = -figures.share
  figures.note = ("all keys: %.1f MB; 1 %% of them: %.2f MB, %.2f %%"):format(full.last_bytes / 2 ^ 20, last.last_bytes / 2 ^ 20, figures.share * 100)
  return figures
end

return {
  {
    name = "checkpoint_stall", what = "1 M dirty keys at each barrier, 2 cores: gaps between batches, and throughput by interval",
    target = "gap <= 2 ms (p99 of 30), >= 95 % and >= 80 % of without", run = stall,
    reached = function(result) return result.gap_p99_ms <= 2 and result.share_each_second >= 0.95 and result.share_each_50_ms >= 0.8 end,
  },
  {
    name = "checkpoint_small", what = "1 % of 10 M keys changed since the checkpoint before", target = "<= 3 % of a full one", run = small,
    reached = function(result) return result.share <= 0.03 end,
  },
}
