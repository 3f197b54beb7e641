--- The plan as text: the job's options, then a line for each step in aligned columns.
local step_rows = require "moontide.explain.rows"
local units = require "moontide.units"

local function width_of(text)
  return select(2, text:gsub("[^\128-\191]", "")) -- characters, not bytes
end

local function pad(text, width)
  return text .. (" "):rep(width - width_of(text))
end

-- Rows of cells with columns as wide as their widest cell; a column that is empty everywhere is left out.
local function align(rows, indent)
  local widths = {}
  for _, row in ipairs(rows) do
    for column, cell in ipairs(row) do widths[column] = math.max(widths[column] or 0, width_of(cell)) end
  end
  local lines = {}
  for i, row in ipairs(rows) do
    local cells = {}
    for column, cell in ipairs(row) do
      if widths[column] > 0 then cells[#cells + 1] = pad(cell, widths[column]) end
    end
    lines[i] = indent .. table.concat(cells, "  "):gsub(" +$", "")
  end
  return table.concat(lines, "\n") .. "\n"
end

local function checkpoint_text(checkpoint)
  local parts = {}
  if checkpoint.interval then parts[#parts + 1] = "every " .. units.duration_text(checkpoint.interval) end
  if checkpoint.records then parts[#parts + 1] = ("every %d records"):format(checkpoint.records) end
  if #parts == 0 then return "only at the end" end
  parts[#parts + 1] = checkpoint.mode
  parts[#parts + 1] = "timeout " .. units.duration_text(checkpoint.timeout)
  if checkpoint.min_pause > 0 then parts[#parts + 1] = "pause " .. units.duration_text(checkpoint.min_pause) end
  parts[#parts + 1] = ("retain %d"):format(checkpoint.retain)
  if checkpoint.tolerable_failures > 0 then parts[#parts + 1] = ("tolerates %d failures"):format(checkpoint.tolerable_failures) end
  if checkpoint.storage then parts[#parts + 1] = "in " .. checkpoint.storage end
  return table.concat(parts, ", ")
end

local restart_order = { { "initial", true }, { "max", true }, { "attempts" }, { "failures" }, { "within", true }, { "delay", true } }

local function restart_text(restart)
  local parts = { restart.strategy }
  for _, option in ipairs(restart_order) do
    local name, is_duration = option[1], option[2]
    local value = restart[name]
    if value then parts[#parts + 1] = ("%s %s"):format(name, is_duration and units.duration_text(value) or ("%d"):format(value)) end
  end
  return table.concat(parts, ", ")
end

local function option_rows(options)
  return {
    { "parallelism", options.parallelism and ("%d"):format(options.parallelism) or "the cores of the machine" },
    { "max_parallelism", options.max_parallelism and ("%d"):format(options.max_parallelism) or "by the parallelism" },
    { "data", options.data or "temporary" },
    { "checkpoint", checkpoint_text(options.checkpoint) },
    { "state", options.state.backend .. ", " .. units.size_text(options.state.memory) },
    { "restart", restart_text(options.restart) },
    { "on_error", step_rows.policy(options.on_error) },
    { "watchdog", options.watchdog > 0 and units.duration_text(options.watchdog) or "off" },
  }
end

local function warnings_text(steps)
  local lines = {}
  for _, step in ipairs(steps) do
    if step.time and step.time.warning then lines[#lines + 1] = ("  warning: step '%s', %s: %s\n"):format(step.name, step.where, step.time.warning) end
  end
  return #lines > 0 and "\n" .. table.concat(lines) or ""
end

--- Render a plan as text.
---@param plan table a view
---@return string
local function render(plan)
  return ('job "%s", %s\n\n'):format(plan.name, plan.where) .. align(option_rows(plan.options), "  ") .. "\n" .. align(step_rows.of(plan), "  ")
    .. warnings_text(plan.steps)
end

return render
