--- A copy of a value and of all tables in it; mt.null stays what it is.
---@param value any
---@return any
local function copy(value)
  if type(value) ~= "table" or getmetatable(value) == "null" then return value end
  local copied = {}
  for key, inner in pairs(value) do copied[key] = copy(inner) end
  return copied
end

return copy
