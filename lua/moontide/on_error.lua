--- What happens to a record that user code fails on: "fail", "skip", or
--- `{ dead_letter = sink }`, where the sink becomes a step of the job.
---
--- A letter is a table of `step`, `error` and `record`, with the `key` in a keyed step, and with `where` for bytes
--- of an input that were no record. What the sink's format cannot say is a text in it (dataflow/dead_letter.h).
local descriptor = require "moontide.descriptor"
local options = require "moontide.options"
local steps = require "moontide.steps"
local where = require "moontide.where"

local M = {}

---@alias OnError "fail"|"skip"|{ dead_letter: Sink, name: string? }

local expected = '"fail", "skip" or { dead_letter = sink }'

local function check_sink(value)
  if descriptor.is(value) then return value end
  return nil, 'a sink such as mt.stdout { format = "json" }'
end

local specs = { { name = "dead_letter", type = "custom", check = check_sink, required = true }, { name = "name", type = "string" } }

--- The check of an option of type "custom": the policy, or nil and what would be right.
---@param value any
---@param what string
---@param path string the name of the option
---@return OnError?
---@return string? expected
function M.check(value, what, path)
  if value == "fail" or value == "skip" then return value end
  if type(value) ~= "table" or getmetatable(value) ~= nil then return nil, expected end
  return options.check(what, value, specs, path)
end

--- The option as other tables of options list it.
M.spec = { name = "on_error", type = "custom", check = M.check }

-- A letter is a table of what is known about a record.
local function refuse_lines(sink, step)
  if step.connector_options.format ~= "lines" then return end
  where.raise_at(sink.where, 'mt.%s: a dead letter is a table, and the format "lines" writes none: use "json", "csv" or "msgpack"', sink.shown)
end

--- Turn a checked policy into that of a plan: a dead letter sink becomes a step, once for each descriptor.
---@param job Job
---@param what string who asks: "mt.job"
---@param policy OnError?
---@return nil|"fail"|"skip"|{ dead_letter: integer }
function M.resolve(job, what, policy)
  if type(policy) ~= "table" then return policy end
  local sink = policy.dead_letter
  if not job._dead_letters[sink] then
    local step = descriptor.resolve(what, sink, "sink")
    refuse_lines(sink, step)
    step.kind, step.role, step.name, step.on_error = "sink", "dead_letter", policy.name, nil
    job._dead_letters[sink] = steps.add(job, what, step, {}).id
  end
  return { dead_letter = job._dead_letters[sink] }
end

return M
