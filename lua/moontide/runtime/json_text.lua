--- A value as JSON for people to read in a report: never fails, whatever the value.
local json_string = require "moontide.json_string"
local null = require "moontide.null"

local function number_text(number)
  if number ~= number then return "NaN" end
  if number == math.huge or number == -math.huge then return number > 0 and "Infinity" or "-Infinity" end
  if number == math.floor(number) and math.abs(number) < 1e15 then return ("%d"):format(number) end
  return ("%.14g"):format(number)
end

local to_text

local function table_text(value, depth)
  if depth > 8 then return "..." end
  local parts = {}
  if #value > 0 then
    for i = 1, #value do parts[i] = to_text(value[i], depth + 1) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do parts[#parts + 1] = json_string(tostring(name)) .. ":" .. to_text(value[name], depth + 1) end
  return "{" .. table.concat(parts, ",") .. "}"
end

function to_text(value, depth)
  if value == null or value == nil then return "null" end
  local kind = type(value)
  if kind == "string" then return json_string(value) end
  if kind == "number" then return number_text(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "table" then return table_text(value, depth) end
  return (tostring(value):gsub("U?LL$", ""))
end

return function(value)
  return to_text(value, 1)
end
