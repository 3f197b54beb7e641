--- A value in an error message: short, and with its type visible.

local text_max = 40

--- `value` as an error message shows it: `"four"`, `3`, `a function`, `nothing`.
---@param value any
---@return string
local function describe(value)
  local kind = type(value)
  if kind == "nil" then return "nothing" end
  if kind == "string" then
    local shown = #value > text_max and value:sub(1, text_max) .. "..." or value
    return '"' .. shown:gsub("%c", function(c) return ("\\%d"):format(c:byte()) end) .. '"'
  end
  if kind == "number" or kind == "boolean" then return tostring(value) end
  if kind == "cdata" then return tostring(value) end
  local metatable = getmetatable(value)
  if metatable == "null" then return "null" end
  if type(metatable) == "table" and metatable.__name then return "a " .. metatable.__name end
  return "a " .. kind
end

return describe
