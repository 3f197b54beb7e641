--- The logical plan of a job, to be read by people and programs: `moontide check`.
local describe = require "moontide.describe"
local nearest = require "moontide.nearest"
local view = require "moontide.explain.view"

local renderers = { text = "moontide.explain.text", json = "moontide.explain.json", dot = "moontide.explain.dot" }

--- The plan as "text" (aligned columns), "json" or "dot" (for graphviz).
---@param job Job
---@param format? "text"|"json"|"dot" default: text
---@return string ends with a line end
local function explain(job, format)
  local renderer = renderers[format or "text"]
  if not renderer then
    error(("there is no format %s for a plan%s"):format(describe(format), nearest.hint(format, { "text", "json", "dot" })), 0)
  end
  return require(renderer)(view(job))
end

return explain
