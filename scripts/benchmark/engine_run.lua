--- One run of a job by the engine, pinned to cores, looked at through `moontide status`.
local process = require "benchmark.process"

local M = {}

local executable = assert(os.getenv "MOONTIDE_EXECUTABLE", "MOONTIDE_EXECUTABLE is not set")
local root = assert(os.getenv "MOONTIDE_ROOT", "MOONTIDE_ROOT is not set")
local poll_seconds = 0.25
local start_seconds_max = 60

local Run = {}
Run.__index = Run

---@class RunOptions
---@field script string of examples/bench, or a path
---@field data string its data directory
---@field settings? table<string, string|number|boolean> mt.args
---@field cores? string for taskset, default "0"
---@field parallelism? integer default 1
---@field ring_bytes? integer of each ring between two workers, for the engine's own limits
---@field output? string a file for what it prints; without it, read with run.process:read()

local function words_of(options)
  local script = options.script:find("/", 1, true) and options.script or root .. "/examples/bench/" .. options.script .. ".lua"
  local words = { "env", "MOONTIDE_RING_BYTES=" .. (options.ring_bytes or ""), "taskset", "-c", options.cores or "0", executable, "run", script,
    "--no-progress", "--data", options.data, "--parallelism", tostring(options.parallelism or 1) }
  local names = {}
  for name in pairs(options.settings or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    words[#words + 1] = "--set"
    words[#words + 1] = name .. "=" .. tostring(options.settings[name])
  end
  return words
end

--- Starts a job.
---@param options RunOptions
function M.start(options)
  local errors = options.data .. ".errors"
  local child = process.start(words_of(options), { output = options.output or (not options.piped and "/dev/null" or nil), errors = errors })
  return setmetatable({ process = child, data = options.data, errors = errors }, Run)
end

function Run:fail(what)
  local said = process.read_file(self.errors) or ""
  self.process:kill()
  error(("%s\n  %s\n%s"):format(what, table.concat(self.process.words, " "), said), 0)
end

local function number_of(text, name)
  return tonumber(text:match('"' .. name .. '":([%d.]+)'))
end

--- The process that runs the records: the child of the supervisor.
function Run:engine_pid()
  local tree = process.tree(self.process.pid)
  return tree[2] or tree[1]
end

local function measure_processes(self, sample)
  sample.cpu_seconds = 0
  for _, pid in ipairs(process.tree(self.process.pid)) do sample.cpu_seconds = sample.cpu_seconds + process.cpu_seconds(pid) end
  sample.rss_mb = process.memory_mb(self:engine_pid(), "VmRSS") + process.memory_mb(self.process.pid, "RssAnon")
end

--- What the job tells about itself now, or nil while it does not run records.
function Run:sample()
  local text, status = process.capture { executable, "status", "--format", "json", self.data }
  if status ~= 0 or not text:find('"state":"running"', 1, true) then return nil end
  local sample = {
    at = number_of(text, "uptime_ms") / 1000, records = number_of(text, "records_in"), records_out = number_of(text, "records_out"),
    checkpoints = number_of(text, "completed"), bytes = number_of(text, "bytes_written"), bases = number_of(text, "bases"),
    failed = number_of(text, "failed"), attempt = number_of(text, "attempt"), state_bytes = number_of(text, "state_bytes"),
  }
  sample.last_id, sample.last_bytes = text:match '"last":{"id":(%d+),"bytes":(%d+)'
  sample.last_bytes = tonumber(sample.last_bytes or 0)
  if sample.attempt > 1 then self:fail("the job failed and was started again") end
  measure_processes(self, sample)
  return sample
end

--- The first sample that `ready` accepts; nil if the job ends before.
---@param ready? fun(sample: table): boolean
function Run:await(ready, seconds_max)
  local limit = process.now() + (seconds_max or start_seconds_max)
  while not self.process:ended() do
    local sample = self:sample()
    if sample and (not ready or ready(sample)) then return sample end
    if process.now() > limit then self:fail("the job has not come so far within " .. (seconds_max or start_seconds_max) .. " s") end
    process.sleep(poll_seconds)
  end
  if self.process.status ~= 0 then self:fail("the job ended with status " .. self.process.status) end
end

--- Two samples `seconds` apart; the second is earlier where the job comes to its end.
function Run:watch(seconds)
  local first = self:sample()
  if not first then self:fail("the job ended before it could be measured") end
  local last, limit = first, process.now() + seconds
  while process.now() < limit do
    process.sleep(math.min(1, math.max(0.001, limit - process.now())))
    local sample = self:sample()
    if not sample then break end
    last = sample
  end
  if last == first then self:fail("the job ended within a second of being measured") end
  return first, last
end

--- The same of a job without an end, at which nobody looks in between: each look is a process that wants a core.
function Run:leave_alone(seconds)
  local first = self:sample()
  process.sleep(seconds)
  local last = self:sample()
  if not first or not last then self:fail("the job ended before it was measured") end
  return first, last
end

local function ask_to_end(self, request, seconds_max)
  process.capture { executable, request, self.data }
  local status = self.process:wait(seconds_max)
  if status ~= 0 then self:fail(("the job did not end after '%s': %s"):format(request, tostring(status))) end
end

--- Ends the job at once.
function Run:cancel()
  ask_to_end(self, "cancel", 60)
end

--- Ends the job with a last checkpoint.
function Run:stop()
  ask_to_end(self, "stop", 300)
end

function Run:checkpoint()
  local _, status = process.capture { executable, "checkpoint", self.data }
  if status ~= 0 then self:fail("no checkpoint could be taken") end
end

local function with_rates(figures)
  figures.records_per_second = figures.records / figures.seconds
  figures.ns_per_record = figures.seconds / figures.records * 1e9
  figures.cpu_ns_per_record = figures.cpu_seconds / figures.records * 1e9
  figures.score = figures.records_per_second
  return figures
end

--- What happened between two samples.
function M.between(first, last)
  return with_rates {
    records = last.records - first.records, seconds = last.at - first.at, cpu_seconds = last.cpu_seconds - first.cpu_seconds, rss_mb = last.rss_mb,
    bytes_written = last.bytes - first.bytes, checkpoints = last.checkpoints - first.checkpoints, bases = last.bases - first.bases,
  }
end

--- What happened in several runs of one job together.
---@param runs table[] of `between`
function M.sum(runs)
  local all = { records = 0, seconds = 0, cpu_seconds = 0, rss_mb = 0, bytes_written = 0, checkpoints = 0, bases = 0 }
  for _, figures in ipairs(runs) do
    for name, before in pairs(all) do
      all[name] = name == "rss_mb" and math.max(before, figures[name]) or before + figures[name]
    end
  end
  return with_rates(all)
end

return M
