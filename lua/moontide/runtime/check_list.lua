--- The length of a list that is to become state. All elements are looked at before
--- the first is added, so a refused list changes nothing.
local describe = require "moontide.describe"

---@param list any
---@return integer
return function(list)
  if type(list) ~= "table" or getmetatable(list) == "null" then error("list state: needs a list, got " .. describe(list), 3) end
  local length = #list
  for key in pairs(list) do
    if type(key) ~= "number" or key < 1 or key > length or key % 1 ~= 0 then
      error("list state: needs a list without gaps, got the key " .. tostring(key), 3)
    end
  end
  for i = 1, length do
    if list[i] == nil then error("list state: nil cannot be an element (mt.null can)", 3) end
  end
  return length
end
