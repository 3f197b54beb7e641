--- The plan as one JSON document, keys in alphabetical order so that two plans can be compared by their text.
local json_string = require "moontide.json_string"
local null = require "moontide.null"

-- Fields that are lists also when they are empty.
local lists = { inputs = true, states = true, steps = true, fields = true, from = true, without = true }

local encode

local function list_text(list, indent)
  if #list == 0 then return "[]" end
  local deeper = indent .. "  "
  local items = {}
  for i, item in ipairs(list) do items[i] = deeper .. encode(item, deeper) end
  return "[\n" .. table.concat(items, ",\n") .. "\n" .. indent .. "]"
end

local function object_text(object, indent)
  local names = {}
  for name in pairs(object) do names[#names + 1] = tostring(name) end
  if #names == 0 then return "{}" end
  table.sort(names)
  local deeper = indent .. "  "
  local members = {}
  for i, name in ipairs(names) do
    local value = object[name]
    local text = lists[name] and type(value) == "table" and list_text(value, deeper) or encode(value, deeper)
    members[i] = deeper .. json_string(name) .. ": " .. text
  end
  return "{\n" .. table.concat(members, ",\n") .. "\n" .. indent .. "}"
end

function encode(value, indent)
  local kind = type(value)
  if value == nil or value == null or value ~= value then return "null" end
  if kind == "string" then return json_string(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then return (value % 1 == 0 and math.abs(value) < 2 ^ 53 and "%d" or "%.17g"):format(value) end
  if kind == "cdata" then return (tostring(value):gsub("U?LL$", "")) end
  if #value > 0 then return list_text(value, indent) end
  return object_text(value, indent)
end

local function options_object(options)
  local object = {}
  for _, option in ipairs(options) do object[option.name] = option.value end
  return object
end

--- Render a plan as JSON.
---@param plan table a view
---@return string
local function render(plan)
  local steps = {}
  for i, step in ipairs(plan.steps) do
    steps[i] = {}
    for name, value in pairs(step) do steps[i][name] = value end
    steps[i].options = step.connector and options_object(step.options) or nil
  end
  return encode({ name = plan.name, where = plan.where, options = plan.options, steps = steps }, "") .. "\n"
end

return render
