--- A value that state hands out is a copy: changing it changes nothing until it is written. -0 is 0, as in what was written.
---@param value any
---@return any
local function copy(value)
  if type(value) == "number" then return value + 0 end
  if type(value) ~= "table" or getmetatable(value) == "null" then return value end
  local fresh = {}
  for key, inner in pairs(value) do fresh[key] = copy(inner) end
  return fresh
end

return copy
