--- What the engine calls in a new Lua state: load a job's script, hand its plan
--- to C, drive a worker.
local ffi = require "ffi"
local C = require "moontide.engine"
local graph = require "moontide.runtime.graph"
local loading = require "moontide.loading"
local log = require "moontide.log"
local moontide = require "moontide"
local physical = require "moontide.runtime.physical"
local plan = require "moontide.plan"
local report = require "moontide.runtime.report"
local same_job = require "moontide.runtime.same_job"
local trace_guard = require "moontide.runtime.trace_guard"
local trace_limits = require "moontide.runtime.trace_limits"
local where = require "moontide.where"
local worker = require "moontide.runtime.worker"

local M = {}

trace_guard.install()
trace_limits.raise()

local levels = { debug = 0, info = 1, warn = 2, error = 3 }

local function script_directory(path)
  return path:match("^(.*)/[^/]*$") or "."
end

-- What the script returns. An error that is no text is not for C to show.
local function answer_of(chunk, path)
  local ok, answer = loading.run(chunk, function() return tonumber(C.clock_thread_cpu_ms()) end)
  if ok then return answer end
  error(report.for_c(type(answer) == "string" and answer or ("%s: %s"):format(path, report.message_text(answer))), 0)
end

--- Load a script: answers its job, checked.
---@param path string
---@param settings string[] "key=value"
---@return Job
function M.load(path, settings)
  for _, setting in ipairs(settings) do
    local key, value = setting:match("^([^=]+)=(.*)$")
    if not key then error(("--set %s: needs key=value"):format(setting), 0) end
    moontide.args[key] = value
  end
  log.is_on = function(level) return C.log_is_on(levels[level]) end
  log.write = function(level, text)
    local place = worker.place()
    C.log_text(levels[level], report.for_c(place and place .. ": " .. text or text))
  end
  local directory = script_directory(path)
  package.path = directory .. "/?.lua;" .. directory .. "/?/init.lua;" .. package.path
  local chunk, message = loadfile(path)
  if not chunk then error(message, 0) end
  where.script = path
  M.job = plan.check(answer_of(chunk, path))
  return M.job
end

--- The options that the engine must know, flat: texts and numbers.
function M.config()
  local job = M.job
  local options, flat = job.options, {}
  local function put(name, value)
    if value ~= nil then flat[name] = type(value) == "boolean" and (value and 1 or 0) or value end
  end
  put("name", job.name)
  put("data", options.data)
  put("parallelism", options.parallelism)
  put("max_parallelism", options.max_parallelism)
  put("watchdog", options.watchdog)
  for _, group in ipairs { "checkpoint", "state", "restart" } do
    for name, value in pairs(options[group]) do put(group .. "." .. name, value) end
  end
  put("reads_once", plan.reads_once(job))
  flat.warnings = table.concat(plan.warnings(job), "\n")
  return flat
end

-- The job's operators; how many workers there are is known behind the script and the command line.
local function operators(parallelism)
  M.graph = M.graph or physical.build(M.job, parallelism)
  return M.graph
end

--- Fill an engine plan (a light userdata).
function M.fill(handle)
  local filled = ffi.cast("struct plan *", handle)
  graph.fill(filled, M.job, operators(C.plan_parallelism(filled)))
  if C.plan_parallelism(filled) > 1 then C.plan_set_text(filled, same_job.text(M.job)) end
  M.filled = true
end

local driven

--- Drive a worker (a light userdata) until it ends.
---@return integer answer enum worker_answer
function M.drive(handle)
  local pointer = ffi.cast("struct worker *", handle)
  if not M.filled then same_job.check(M.job, ffi.string(C.worker_plan_text(pointer))) end
  driven = worker.new(pointer, M.job, operators(C.worker_parallelism(pointer)))
  return driven:run()
end

--- Close the steps of that worker, which has failed or was cancelled.
---@param completed integer the last checkpoint that there will be of this run
function M.give_up(completed)
  if driven then driven:give_up(completed) end
end

--- The plan as text, JSON or dot.
function M.explain(format)
  return require "moontide.explain"(M.job, format)
end

return M
