--- The options of `mt.job`: what there is, defaults and ranges.
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local process = require "moontide.process"
local where = require "moontide.where"

local M = {}

---@class JobOptions
---@field parallelism? integer workers; default: the cores of the machine
---@field max_parallelism? integer key groups; default: by the parallelism, or the snapshot's (S43, S45)
---@field data? string the durable home: checkpoints and control socket; default: a temporary one
---@field checkpoint? CheckpointOptions
---@field state? StateOptions
---@field restart? RestartOptions|string
---@field on_error? OnError
---@field watchdog? number|string|false how long one callback may run

---@class CheckpointOptions
---@field interval? number|string|false
---@field records? integer also after this many records of all sources together
---@field mode? "exactly_once"|"at_least_once"
---@field timeout? number|string
---@field min_pause? number|string
---@field retain? integer
---@field tolerable_failures? integer
---@field storage? string a directory for the checkpoints, on another disk maybe; default: `checkpoints` in the data directory

---@class StateOptions
---@field backend? "rocksdb"|"memory"
---@field memory? number|string

---@class RestartOptions
---@field strategy? "exponential_delay"|"fixed_delay"|"failure_rate"|"none"
---@field initial? number|string of exponential_delay
---@field max? number|string of exponential_delay
---@field attempts? integer of exponential_delay and fixed_delay
---@field delay? number|string of fixed_delay and failure_rate
---@field failures? integer of failure_rate
---@field within? number|string of failure_rate

local groups_max = 32768

local checkpoint_specs = {
  { name = "interval", type = "duration", min = 1, default = 10000, off = false },
  { name = "records", type = "integer", min = 1 },
  { name = "mode", type = "choice", values = { "exactly_once", "at_least_once" }, default = "exactly_once" },
  { name = "timeout", type = "duration", min = 1, default = 600000 },
  { name = "min_pause", type = "duration", min = 0, default = 0 },
  { name = "retain", type = "integer", min = 1, default = 3 },
  { name = "tolerable_failures", type = "integer", min = 0, default = 0 },
  { name = "storage", type = "string" },
}

local state_specs = {
  { name = "backend", type = "choice", values = { "rocksdb", "memory" }, default = "rocksdb" },
  { name = "memory", type = "size", min = 1, default = 256 * 1024 * 1024 },
}

-- Which options there are depends on the strategy, so this table is checked in two steps.
local strategies = { "exponential_delay", "fixed_delay", "failure_rate", "none" }
local strategy_spec = { name = "strategy", type = "choice", values = strategies, default = "exponential_delay" }
local restart_specs = {
  none = { strategy_spec },
  exponential_delay = {
    strategy_spec,
    { name = "initial", type = "duration", min = 1, default = 100 },
    { name = "max", type = "duration", min = 1, default = 60000 },
    { name = "attempts", type = "integer", min = 1 },
  },
  fixed_delay = {
    strategy_spec,
    { name = "attempts", type = "integer", min = 1, default = 1 },
    { name = "delay", type = "duration", min = 0, default = 1000 },
  },
  failure_rate = {
    strategy_spec,
    { name = "failures", type = "integer", min = 1, default = 1 },
    { name = "within", type = "duration", min = 1, default = 60000 },
    { name = "delay", type = "duration", min = 0, default = 1000 },
  },
}

local function any_value(value)
  return value
end

local job_specs = {
  process.parallelism_spec,
  { name = "max_parallelism", type = "integer", min = 1, max = groups_max },
  { name = "data", type = "string" },
  { name = "checkpoint", type = "options", specs = checkpoint_specs },
  { name = "state", type = "options", specs = state_specs },
  { name = "restart", type = "custom", check = any_value },
  { name = "on_error", type = "custom", check = on_error.check, default = "fail" },
  { name = "watchdog", type = "duration", min = 0, default = 30000, off = 0 },
}

local function check_restart(what, given)
  if type(given) == "string" then given = { strategy = given } end
  -- The strategy alone first: it decides what else there is.
  local name = type(given) == "table" and rawget(given, "strategy") or nil
  local strategy = options.check(what, { strategy = name }, { strategy_spec }, "restart").strategy
  local checked = options.check(what, given, restart_specs[strategy], "restart")
  if checked.max and checked.max < checked.initial then
    where.raise("%s: option 'restart.max' must not be below 'restart.initial', got %d and %d", what, checked.max, checked.initial)
  end
  return checked
end

--- Check what was given to `mt.job` and fill in the defaults.
---@param what string
---@param given JobOptions?
---@return table
function M.check(what, given)
  local checked = options.check(what, given, job_specs)
  checked.restart = check_restart(what, checked.restart)
  local groups = checked.max_parallelism
  if groups and checked.parallelism and checked.parallelism > groups then
    where.raise("%s: option 'parallelism' must not be above 'max_parallelism', got %d and %d", what, checked.parallelism, groups)
  end
  return checked
end

return M
