--- Every worker runs the script, and binds what it made to the steps of worker 0 by their numbers. Where the script goes
--- through a table with `pairs`, or asks for chance or the clock, each may have made another job.
local rows = require "moontide.explain.rows"
local view = require "moontide.explain.view"

local M = {}

--- A job's steps, a line each.
---@param job Job
---@return string
function M.text(job)
  local lines = {}
  for i, row in ipairs(rows.of(view(job))) do lines[i] = table.concat(row, " "):gsub("%s+", " "):gsub("^ ", "") end
  return table.concat(lines, "\n") .. "\n"
end

local message = "the script made another job here than in worker 0: that one has the step '%s', this one %s; "
  .. "steps must not depend on the order of pairs(), on chance or on the clock"

local function fail(expected, own)
  error(message:format(expected or "(none)", own and "'" .. own .. "'" or "none"), 0)
end

--- Raise an error if this worker's job has other steps than worker 0's.
---@param job Job
---@param expected string text() of worker 0
function M.check(job, expected)
  local text = M.text(job)
  if text == expected then return end
  local own = text:gmatch "[^\n]+"
  for line in expected:gmatch "[^\n]+" do
    local own_line = own()
    if own_line ~= line then fail(line, own_line) end
  end
  fail(nil, own())
end

return M
