--- The plan as a graph for graphviz: `moontide check JOB.lua --format dot | dot -Tsvg`.

local function quote(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

local shapes = { source = "invhouse", sink = "house", process = "box3d", connect = "box3d", interval_join = "box3d" }

local function label(step)
  local lines = { step.name, step.kind .. (step.operator and " " .. step.operator or "") .. (step.connector and " " .. step.connector or "") }
  if step.key and step.key.fields then lines[#lines + 1] = table.concat(step.key.fields, ", ") end
  if step.window then lines[#lines + 1] = step.window.windows end
  for _, state in ipairs(step.states) do lines[#lines + 1] = state.name .. ": " .. state.kind end
  if step.timestamps then lines[#lines + 1] = step.timestamps.field or "by a function" end
  lines[#lines + 1] = step.where
  return table.concat(lines, "\n")
end

-- A step whose event time nobody makes stands out.
local function node(step)
  local warned = step.time and step.time.warning
  return ("  %d [label=%s, shape=%s%s];"):format(step.id, quote(label(step)), shapes[step.kind] or "box",
    warned and ", color=red, tooltip=" .. quote(warned) or "")
end

local function edge(step, input)
  -- A tag belongs to a process step and an exchange is a step of its own: never both.
  if input.tag then return ("  %d -> %d [label=%s];"):format(input.step, step.id, quote(input.tag)) end
  if input.exchange == "forward" then return ("  %d -> %d;"):format(input.step, step.id) end
  return ("  %d -> %d [label=%s, penwidth=2];"):format(input.step, step.id, quote(input.exchange))
end

local function time_edge(step, ids, name)
  return ("  %d -> %d [style=dotted, label=\"time\", constraint=false];"):format(ids[name], step.id)
end

local function dead_letter_edge(step, ids)
  return ("  %d -> %d [style=dashed, label=\"dead letters\"];"):format(step.id, ids[step.on_error.dead_letter])
end

--- Render a plan for graphviz.
---@param plan table a view
---@return string
local function render(plan)
  local lines, ids = { "digraph " .. quote(plan.name) .. " {", "  rankdir=LR;", "  node [fontname=\"sans-serif\"];" }, {}
  for _, step in ipairs(plan.steps) do
    ids[step.name] = step.id
    lines[#lines + 1] = node(step)
  end
  for _, step in ipairs(plan.steps) do
    for _, input in ipairs(step.inputs) do lines[#lines + 1] = edge(step, input) end
    for _, name in ipairs(step.time and step.time.from or {}) do lines[#lines + 1] = time_edge(step, ids, name) end
    if type(step.on_error) == "table" then lines[#lines + 1] = dead_letter_edge(step, ids) end
  end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n") .. "\n"
end

return render
