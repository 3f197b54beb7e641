--- Where the event time of a plan's steps comes from: which assign_timestamps steps
--- make the watermarks that a step of windows, timers or joins waits for.
local M = {}

-- What the step does at a time, for sentences; nil: it does not wait for any.
local function waits_with(step)
  if step.kind == "window" then return step.window.time == "event" and "windows of event time" or nil end
  if step.kind == "interval_join" then return "an interval join" end
  return step.definition and step.definition.on_timer and "timers" or nil
end

-- The nearest steps upstream that make watermarks, and the sources that are reached without one.
local function look_upstream(job, step, found, seen)
  for _, input in ipairs(step.inputs) do
    local from = job.steps[input.step]
    if not seen[from.id] then
      seen[from.id] = true
      if from.kind == "assign_timestamps" then
        found.from[#found.from + 1] = from.name
      elseif #from.inputs == 0 then
        found.without[#found.without + 1] = from.name
      else
        look_upstream(job, from, found, seen)
      end
    end
  end
  return found
end

local endings = {
  ["windows of event time"] = "they fire at the end only", ["an interval join"] = "what it keeps is dropped at the end only",
  timers = "those of event time fire at the end only",
}

local function warning_text(what, from, without)
  if #without == 0 then return nil end
  local missing = "no assign_timestamps upstream"
  if #from > 0 then missing = ("the stream of '%s' has no assign_timestamps"):format(table.concat(without, "', '")) end
  return ("%s, but %s: %s"):format(what, missing, endings[what])
end

--- Nil for a step that does not wait for event time.
---@param job Job
---@param step Step
---@return { from: string[], without: string[], warning: string? }?
function M.of(job, step)
  local what = waits_with(step)
  if not what then return nil end
  local found = look_upstream(job, step, { from = {}, without = {} }, {})
  table.sort(found.from)
  table.sort(found.without)
  found.warning = warning_text(what, found.from, found.without)
  return found
end

local unit_names = { "ms", "s", "us", "ns", "iso8601" }

--- What an assign_timestamps step was told; nil for any other.
---@param step Step
---@return { field: string?, unit: string?, format: string?, max_out_of_orderness: number, idle_timeout: number?, emit: integer?, max_drift: number? }?
function M.timestamps_of(step)
  if step.kind ~= "assign_timestamps" then return nil end
  return {
    field = step.field, unit = step.field and unit_names[step.unit], format = step.format ~= "" and step.format or nil,
    max_out_of_orderness = step.max_out_of_orderness, idle_timeout = step.idle_timeout > 0 and step.idle_timeout or nil,
    emit = step.emit, max_drift = step.max_drift,
  }
end

return M
