--- The length of a list that is to become state. All elements are looked at before
--- the first is added, so a refused list changes nothing.
local describe = require "moontide.describe"

---@param list any
---@param level? integer of the caller whose fault it is, as for error(); 3 by default
---@return integer
return function(list, level)
  level = level or 3
  if type(list) ~= "table" or getmetatable(list) == "null" then error("list state: needs a list, got " .. describe(list), level) end
  local length, count = #list, 0
  for key in pairs(list) do
    if type(key) ~= "number" or key < 1 or key > length or key % 1 ~= 0 then
      error("list state: needs a list without gaps, got the key " .. tostring(key), level)
    end
    count = count + 1
  end
  if count < length then error("list state: nil cannot be an element (mt.null can)", level) end
  return length
end
