--- What a row measures with: a directory of its own, floors, runs of jobs, profiles.
local engine_run = require "benchmark.engine_run"
local process = require "benchmark.process"

local M = {}
local Context = {}
Context.__index = Context

local build = assert(os.getenv "MOONTIDE_BUILD", "MOONTIDE_BUILD is not set")

M.build = build
M.executable = os.getenv "MOONTIDE_EXECUTABLE"
M.root = os.getenv "MOONTIDE_ROOT"

local function shell(...)
  local _, status = process.capture { "sh", "-c", (...), "sh", select(2, ...) }
  return status == 0
end

--- A directory below TMPDIR, or else beside what was built: on a real file system either way.
function M.open(row, given)
  local parent = os.getenv "TMPDIR" or build
  local path = process.capture { "mktemp", "-d", parent .. "/bench-" .. row.name .. ".XXXXXX" }
  return setmetatable({ row = row, given = given, seconds = given.seconds, directory = path:gsub("%s+$", ""), runs = 0 }, Context)
end

function Context:close()
  for _, child in ipairs(self.children or {}) do
    if not child:ended() then child:kill() end
  end
  if not self.given.keep then shell('rm -rf "$1"', self.directory) end
end

function Context:path(name)
  return self.directory .. "/" .. name
end

--- Runs one of the programs in C, pinned to the core that jobs are pinned to; its figures by name.
function Context:floor(program, ...)
  local words = { "taskset", "-c", "0", build .. "/" .. program }
  for _, word in ipairs { ... } do words[#words + 1] = tostring(word) end
  local text, status = process.capture(words)
  if status ~= 0 then error(table.concat(words, " ") .. " ended with status " .. tostring(status), 0) end
  local figures = {}
  for name, value in text:gmatch '"([%w_]+)":([%d.e+-]+)' do figures[name] = tonumber(value) end
  figures.ns_per_record = figures.seconds / figures.records * 1e9
  return figures
end

--- Starts a job; ended with the row at the latest.
---@param options RunOptions `data` is given by itself
function Context:start(options)
  self.runs = self.runs + 1
  options.data = options.data or self:path("data-" .. self.runs)
  local run = engine_run.start(options)
  self.children = self.children or {}
  table.insert(self.children, run.process)
  return run
end

--- With --profile: where the engine spends its time from now on, written when `seconds` have gone.
function Context:profile(run, seconds)
  if not self.given.profile then return end
  shell('mkdir -p "$1"', self.given.profile)
  local file = ("%s/%s.perf"):format(self.given.profile, self.row.name)
  process.start({ "sh", "-c", 'perf record -q -F 499 -g -p "$1" -o "$2" -- sleep "$3" && perf report --no-children -g none --stdio -i "$2" > "$2.txt"',
    "sh", tostring(run:engine_pid()), file, tostring(seconds) }, { output = "/dev/null" })
end

--- The usual row: warm up, then watch a job for --seconds.
---@param options RunOptions and `ready`: when the warm-up begins
---@return table figures of engine_run.between
function Context:measure(options)
  local run = self:start(options)
  run:await(options.ready, options.ready_seconds_max)
  process.sleep(options.warm_up or 2)
  self:profile(run, math.max(2, self.seconds - 2))
  local figures = engine_run.between(run:watch(options.seconds or self.seconds))
  if not run.process:ended() then run:cancel() end
  return figures
end

--- The same of several jobs in short turns, since the machine is faster and slower for seconds at a time. All turns count.
---@param all RunOptions[]
---@param rounds integer
---@param share number of --seconds that each turn lasts
---@return table[] the figures of each job: what it did in all its turns together
function Context:measure_in_turns(all, rounds, share)
  local turns = {}
  for _ = 1, rounds do
    for i, options in ipairs(all) do
      options.data, options.seconds = nil, self.seconds * share
      turns[i] = turns[i] or {}
      table.insert(turns[i], self:measure(options))
    end
  end
  local figures = {}
  for i, of_one in ipairs(turns) do figures[i] = engine_run.sum(of_one) end
  return figures
end

--- Adds what the floor says to a row's figures.
function M.compare(figures, floor)
  figures.floor_ns_per_record = floor.ns_per_record
  figures.ratio = figures.ns_per_record / floor.ns_per_record
  return figures
end

return M
