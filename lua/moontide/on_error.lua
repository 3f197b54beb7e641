--- What happens to a record that user code fails on: "fail", "skip", or
--- `{ dead_letter = sink }`, where the sink becomes a step of the job.
local descriptor = require "moontide.descriptor"
local steps = require "moontide.steps"

local M = {}

---@alias OnError "fail"|"skip"|{ dead_letter: Sink, name: string? }

local expected = '"fail", "skip" or { dead_letter = sink }'

--- The check of an option of type "custom": the policy, or nil and what would be right.
---@param value any
---@return OnError?
---@return string? expected
function M.check(value)
  if value == "fail" or value == "skip" then return value end
  if type(value) ~= "table" or getmetatable(value) ~= nil or not descriptor.is(value.dead_letter) then return nil, expected end
  for name in pairs(value) do
    if name ~= "dead_letter" and name ~= "name" then return nil, expected end
  end
  if value.name ~= nil and type(value.name) ~= "string" then return nil, expected end
  return value
end

--- The option as other tables of options list it.
M.spec = { name = "on_error", type = "custom", check = M.check }

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
    step.kind, step.role, step.name, step.on_error = "sink", "dead_letter", policy.name, nil
    job._dead_letters[sink] = steps.add(job, what, step, {}).id
  end
  return { dead_letter = job._dead_letters[sink] }
end

return M
