--- What is to be put into map state all at once: a table, which mt.null is not.
local describe = require "moontide.describe"

---@param map any
return function(map)
  if type(map) ~= "table" or getmetatable(map) == "null" then error("map state: put_all needs a table, got " .. describe(map), 3) end
end
