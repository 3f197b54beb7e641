--- The steps of a plan as rows of text: number, name, kind, inputs, details, place.
local units = require "moontide.units"

local M = {}

--- What an error leads to.
---@param policy "fail"|"skip"|{ dead_letter: string }
---@return string
function M.policy(policy)
  return type(policy) == "table" and "dead letters to " .. policy.dead_letter or policy
end

local function kind_text(step)
  return step.kind .. (step.operator and " " .. step.operator or "") .. (step.connector and " " .. step.connector or "")
end

local function input_text(step)
  local parts = {}
  for i, input in ipairs(step.inputs) do
    local tag = input.tag and ('["%s"]'):format(input.tag) or ""
    parts[i] = input.name .. tag .. (input.exchange ~= "forward" and " (" .. input.exchange .. ")" or "")
  end
  if #parts > 0 then return "from " .. table.concat(parts, ", ") end
  return step.role == "dead_letter" and "dead letters" or ""
end

local function default_text(default)
  if type(default) == "table" and getmetatable(default) == nil then return "{...}" end
  return type(default) == "string" and ("%q"):format(default) or tostring(default)
end

local function state_text(state)
  local notes = {}
  if state.default ~= nil then notes[#notes + 1] = "default " .. default_text(state.default) end
  if state.version ~= 1 then notes[#notes + 1] = ("version %d"):format(state.version) end
  return state.name .. ": " .. state.kind .. (#notes > 0 and " (" .. table.concat(notes, ", ") .. ")" or "")
end

local function key_text(key)
  if key.fn then return "key by the function at " .. key.fn end
  return "key " .. (key.single and key.fields[1] or "{ " .. table.concat(key.fields, ", ") .. " }")
end

local function interval_text(interval)
  local parts = { ("from %s to %s"):format(units.duration_text(interval.lower), units.duration_text(interval.upper)) }
  for _, name in ipairs { "late_left", "late_right" } do
    if interval[name] then parts[#parts + 1] = ("%s=%q"):format(name, interval[name]) end
  end
  return table.concat(parts, "  ")
end

local function window_text(window)
  local parts = { window.windows, "trigger " .. window.trigger }
  if window.evictor then parts[#parts + 1] = "evictor " .. window.evictor end
  if window.lateness > 0 then parts[#parts + 1] = "lateness " .. units.duration_text(window.lateness) end
  if window.late then parts[#parts + 1] = ('late to ["%s"]'):format(window.late) end
  return table.concat(parts, "  ")
end

local function timestamps_text(timestamps)
  local parts = { timestamps.field and ("time %s (%s)"):format(timestamps.field, timestamps.format or timestamps.unit) or "time by a function" }
  for _, name in ipairs { "max_out_of_orderness", "idle_timeout", "max_drift" } do
    local value = timestamps[name]
    if value and value > 0 then parts[#parts + 1] = name .. "=" .. units.duration_text(value) end
  end
  if timestamps.emit then parts[#parts + 1] = ("emit=%d"):format(timestamps.emit) end
  return table.concat(parts, "  ")
end

local function time_text(time)
  return #time.from > 0 and "time from " .. table.concat(time.from, ", ") or "time from nowhere"
end

local function detail_text(step)
  local parts = {}
  for _, option in ipairs(step.options) do parts[#parts + 1] = option.name .. "=" .. option.text end
  if step.timestamps then parts[#parts + 1] = timestamps_text(step.timestamps) end
  if step.window then parts[#parts + 1] = window_text(step.window) end
  if step.key then parts[#parts + 1] = key_text(step.key) end
  if step.interval then parts[#parts + 1] = interval_text(step.interval) end
  if step.time then parts[#parts + 1] = time_text(step.time) end
  local states = {}
  for i, state in ipairs(step.states) do states[i] = state_text(state) end
  if #states > 0 then parts[#parts + 1] = "state " .. table.concat(states, ", ") end
  if step.parallelism then parts[#parts + 1] = ("parallelism=%d"):format(step.parallelism) end
  if step.on_error then parts[#parts + 1] = "on_error=" .. M.policy(step.on_error) end
  return table.concat(parts, "  ")
end

--- The rows of a view's steps.
---@param plan table a view
---@return string[][]
function M.of(plan)
  local rows = {}
  for i, step in ipairs(plan.steps) do
    rows[i] = { ("%2d"):format(step.id), step.name, kind_text(step), input_text(step), detail_text(step), step.where }
  end
  return rows
end

return M
