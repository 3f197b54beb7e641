--- A job: its options and the steps that its streams have added so far.
local describe = require "moontide.describe"
local descriptor = require "moontide.descriptor"
local job_options = require "moontide.job_options"
local loading = require "moontide.loading"
local nearest = require "moontide.nearest"
local on_error = require "moontide.on_error"
local options = require "moontide.options"
local process = require "moontide.process"
local steps = require "moontide.steps"
local stream = require "moontide.stream"
local where = require "moontide.where"

---@class Job
---@field name string
---@field options table checked, with defaults; durations in milliseconds, sizes in bytes
---@field where Where? the author's call
---@field steps Step[] in order of creation
---@field package _step_names table<string, Step>
---@field package _dead_letters table<Descriptor, integer>
local Job = { __name = "job" }

function Job.__index(job, name)
  local method = rawget(Job, name)
  if method ~= nil or type(name) ~= "string" or name:sub(1, 1) == "_" or name == "where" then return method end
  where.raise("job '%s' has no '%s'%s", rawget(job, "name"), name, nearest.hint(name, { "from", "name", "options", "steps", "where" }))
end

local M = {}

local name_bytes_max = 255

--- A new job without steps.
---
---     local job = mt.job("fraud", { parallelism = 4, checkpoint = { interval = "1s" } })
---@param name string
---@param given? JobOptions
---@return Job
function M.new(name, given)
  if type(name) ~= "string" or name == "" or #name > name_bytes_max or name:find("%c") then
    where.raise('mt.job: needs a name first, as in mt.job("fraud"), got %s', describe(name))
  end
  local job = setmetatable({ name = name, where = where.caller(), steps = {}, _step_names = {}, _dead_letters = {} }, Job)
  job.options = job_options.check("mt.job", given)
  loading.allow(job.options.watchdog)
  job.options.on_error = on_error.resolve(job, "mt.job", job.options.on_error)
  return job
end

--- Is `value` a job?
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Job
end

local from_specs = { { name = "name", type = "string" }, process.parallelism_spec, on_error.spec }

--- The stream of the records of a source.
---
---     local clicks = job:from(mt.values { { page = "/" }, { page = "/help" } }, { name = "clicks" })
---@param source Source `mt.file { ... }` and its siblings
---@param given? { name: string?, parallelism: integer?, on_error: OnError? }
---@return Stream
function Job:from(source, given)
  local what = "job:from"
  local checked = options.check(what, given, from_specs)
  steps.check_free(self, what, checked.name)
  local step = descriptor.resolve(what, source, "source")
  step.kind, step.name, step.parallelism = "source", checked.name, checked.parallelism
  step.on_error = on_error.resolve(self, what, checked.on_error or step.on_error)
  return stream.new(self, steps.add(self, what, step, {}))
end

return M
