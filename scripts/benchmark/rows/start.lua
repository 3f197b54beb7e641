--- Rows about beginnings: a restore, and the first output of a small job.
local context = require "benchmark.context"
local meter = require "benchmark.meter"
local process = require "benchmark.process"

local base_bytes = 256 * 2 ^ 20   -- deltas beyond this make the engine begin a new base
local starts = 20

--- Killed when the deltas since the last base are as long as they get: what a restore then has to read.
local function restore(run)
  local keys, path = 10000000, run:path "meter"
  local settings = { keys = keys, preload = 1, memory = "2GB", interval = "1s" }
  local job = run:start { script = "keyed_count", settings = settings }
  local since_base, bases, last_id = 0, 0, nil
  local sample = job:await(function(sample)
    if sample.last_id ~= last_id then since_base = since_base + sample.last_bytes end
    if sample.bases ~= bases then since_base = 0 end
    bases, last_id = sample.bases, sample.last_id
    return sample.records > 2 * keys and bases >= 1 and since_base + 1.5 * sample.last_bytes > base_bytes
  end, 300)
  job.process:kill()
  settings.path = path
  local again = run:start { script = "keyed_count", settings = settings, data = job.data }
  process.sleep(0.1) -- the supervisor has started the engine by then
  run:profile(again, 2)
  again:await(function(now) return now.records > 0 end, 120)
  local after = again:sample()
  again:cancel()
  local seconds = meter.read(path, 1).first - again.process.begin
  -- Right after the run, as the run was right after the killed one: pages that were just given back come back.
  local touching = run:floor("bench_touch", math.floor(after.rss_mb)).seconds
  return {
    records = keys, seconds = seconds, rss_mb = after.rss_mb, cpu_seconds = after.cpu_seconds, score = -seconds, checkpoints = sample.checkpoints,
    delta_bytes = since_base, touching_seconds = touching,
    note = ("deltas since the base: %.0f MB; as much fresh memory, only touched: %.2f s"):format(since_base / 2 ^ 20, touching),
  }
end

local function hello(run)
  local child = process.start({ "taskset", "-c", "0", context.executable, "run", context.root .. "/examples/01_hello.lua", "--no-progress" },
    { errors = run:path "errors" })
  local first = child:read(10)
  local seconds = process.now() - child.begin
  assert(first and #first > 0, "no output")
  repeat local more = child:read(10) until not more or more == ""
  assert(child:wait(10) == 0, "the job failed")
  return seconds, process.now() - child.begin, child.rss_max_mb
end

local function start(run)
  local firsts, rss_mb, whole = {}, 0, 0
  for i = 1, starts do
    local seconds, all, rss = hello(run)
    firsts[i], rss_mb, whole = seconds, math.max(rss_mb, rss), whole + all
  end
  table.sort(firsts)
  local median = firsts[math.ceil(starts / 2)]
  return {
    records = 5, seconds = median, rss_mb = rss_mb, score = -median, best_seconds = firsts[1],
    note = ("median of %d; best %.1f ms, to the end %.1f ms"):format(starts, firsts[1] * 1e3, whole / starts * 1e3),
  }
end

return {
  {
    name = "restore", what = "10 M keys, killed just before a new base: from process start to the first record", target = "<= 1.5 s", run = restore,
    reached = function(result) return result.seconds <= 1.5 end,
  },
  {
    name = "start", what = "examples/01_hello.lua: to its first output", target = "<= 25 ms, <= 25 MB", run = start,
    reached = function(result) return result.seconds <= 0.025 and result.rss_mb <= 25 end,
  },
}
