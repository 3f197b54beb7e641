--- Rows of event time: windows and timers over 10 k and more keys, 100 records each millisecond of it;
--- one worker, one core, a checkpoint each second. (Of the join: 10 records each millisecond.)
local context = require "benchmark.context"
local engine_run = require "benchmark.engine_run"
local meter = require "benchmark.meter"
local process = require "benchmark.process"

local floor_seconds = 3

local function at_least(records_per_second)
  return function(result) return result.records_per_second >= records_per_second end
end

--- `floor`: arguments of bench_time_floor, without the seconds.
local function row(name, what, script, settings, floor, millions)
  return {
    name = name, what = what, target = (">= %g M/s"):format(millions), reached = at_least(millions * 1e6),
    run = function(run)
      floor[#floor + 1] = floor_seconds
      local beneath = run:floor("bench_time_floor", unpack(floor))
      return context.compare(run:measure { script = script, settings = settings }, beneath)
    end,
  }
end

local function timers_large(run)
  local pending = 10000000
  local figures = run:measure {
    script = "timers", settings = { per_ms = 100, delay = pending / 100, memory = "256MB" },
    ready = function(sample) return sample.records > pending * 1.05 end, ready_seconds_max = 120,
  }
  figures.note = ("resident %.0f MB"):format(figures.rss_mb)
  return figures
end

--- Half of what the job can do, and then how long after its watermark each result leaves.
local function window_latency(run)
  local settings = { size = "100ms", per_ms = 100 }
  local most = run:measure { script = "windows", settings = settings, seconds = 3 }.records_per_second
  local path = run:path "meter"
  local rate = math.floor(most / 2000) * 1000
  local job = run:start {
    script = "windows",
    settings = { size = "100ms", per_ms = math.floor(rate / 1000), rate = rate, path = path, warm_up = "3s" },
  }
  job:await()
  process.sleep(3)
  local figures = engine_run.between(job:leave_alone(run.seconds))
  job:cancel()
  local seen = meter.read(path, 1)
  figures.p50_ms, figures.p99_ms, figures.p999_ms = meter.delay_ms(seen, 50), meter.delay_ms(seen, 99), meter.delay_ms(seen, 99.9)
  figures.score = -figures.p99_ms
  figures.note = ("%.1f M/s; p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms"):format(rate / 1e6, figures.p50_ms, figures.p99_ms, figures.p999_ms)
  return figures
end

return {
  row("tumbling", "10 s tumbling, count, sum and max of 10 k keys", "windows", {}, { "windows", 10000, 10000, 10000 }, 15),
  row("tumbling_lua", "the same, with an aggregate in Lua", "windows", { way = "lua" }, { "windows", 10000, 10000, 10000 }, 8),
  row("sliding", "10 s every 2 s", "windows", { window = "sliding" }, { "windows", 10000, 10000, 2000 }, 10),
  row("sliding_60", "60 s every second", "windows", { window = "sliding", size = "60s", slide = "1s" }, { "windows", 10000, 60000, 1000 }, 8),
  row("session", "sessions of 10 k keys, gap 1 s", "windows", { window = "session" }, { "sessions", 10000, 1000 }, 3),
  row("session_lua", "the same, with an aggregate in Lua", "windows", { window = "session", way = "lua" }, { "sessions", 10000, 1000 }, 1.5),
  row("window_elements", "1 s tumbling, all elements to a function", "windows", { way = "elements", size = "1s" }, { "windows", 10000, 1000, 1000 }, 2),
  row("count_sliding", "the last ten of each key at every other", "windows", { window = "count" }, { "windows", 10000, 1000, 200 }, 0.5),
  row("window_join", "two sides of 10 k keys, 2 s tumbling: one match each on average", "window_join", {}, { "interval", 10000, 1000, 10 }, 1),
  row("timers", "100 k keys, a timer a second after each record, which emits and clears", "timers", {}, { "timers", 100000, 1000 }, 2.5),
  row("interval_join", "two sides of 10 k keys, a second before and after: one match each on average", "interval_join",
    { per_ms = 10, reach = 1000 }, { "interval", 10000, 1000, 10 }, 1.5),
  {
    name = "timers_large", what = "10 M pending timers of 100 k keys, 256 MB", target = ">= 0.5 M/s, resident <= 400 MB", run = timers_large,
    reached = function(result) return result.records_per_second >= 0.5e6 and result.rss_mb <= 400 end,
  },
  {
    name = "window_latency", what = "100 ms tumbling at half of its maximum: from the watermark to the result",
    target = "p99 <= 2 ms, p99.9 <= 10 ms", run = window_latency,
    reached = function(result) return result.p99_ms <= 2 and result.p999_ms <= 10 end,
  },
}
