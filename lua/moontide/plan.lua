--- The last look at a job that a script has returned: what only shows when all
--- of its steps are there.
local describe = require "moontide.describe"
local job = require "moontide.job"
local where = require "moontide.where"

local M = {}

local function consumed_steps(steps)
  local consumed = {}
  for _, step in ipairs(steps) do
    for _, input in ipairs(step.inputs) do consumed[input.step] = true end
  end
  return consumed
end

-- These may live for their effects and their state alone.
local may_end = { sink = true, process = true, window = true, connect = true, interval_join = true }

local function check_loose_ends(steps)
  local consumed = consumed_steps(steps)
  for _, step in ipairs(steps) do
    if not may_end[step.kind] and not consumed[step.id] then
      where.raise_at(step.where, "step '%s' leads nowhere: end the stream with :to(sink), or :to(mt.blackhole {})", step.name)
    end
  end
end

local function has_kind(steps, kind)
  for _, step in ipairs(steps) do
    if step.kind == kind and step.role == nil then return true end
  end
  return false
end

--- Check that what a script returned is a job that can run; raises at the author's line.
---@param value any
---@return Job
function M.check(value)
  if not job.is(value) then
    error(("the script must return its job (`return job`), it returned %s"):format(describe(value)), 0)
  end
  if not has_kind(value.steps, "source") then
    where.raise_at(value.where, "job '%s' has no source: begin with job:from(...)", value.name)
  end
  if not has_kind(value.steps, "sink") then
    where.raise_at(value.where, "job '%s' has no sink: end a stream with :to(...)", value.name)
  end
  check_loose_ends(value.steps)
  return value
end

--- What is worth saying about a job that can run, a line each.
---@param value Job
---@return string[]
function M.warnings(value)
  local list = {}
  local checkpoint = value.options.checkpoint
  if not checkpoint.interval and not checkpoint.records then return list end
  for _, step in ipairs(value.steps) do
    if step.kind == "source" and step.replayable == false then
      list[#list + 1] = ("source '%s' cannot be read again: what it sent after the last checkpoint is lost in a failure"):format(step.name)
    end
  end
  return list
end

--- Whether records are lost that a failing attempt took from its input. A source in Lua without a position begins anew.
---@param value Job
---@return boolean
function M.reads_once(value)
  for _, step in ipairs(value.steps) do
    if step.kind == "source" and step.replayable == false and not step.definition then return true end
  end
  return false
end

return M
