--- An object of a class whose methods are all there is: a misspelt one is told, with what was meant.
local nearest = require "moontide.nearest"

---@param class table its methods by name; it becomes the object's metatable
---@param what string how an author calls the object: "ctx"
---@param object? table its fields, if it has any
---@return table
return function(class, what, object)
  local names = {}
  for name in pairs(class) do
    if name ~= "__index" then names[#names + 1] = name end
  end
  table.sort(names)
  class.__index = class
  -- Reached only by a name that is none of them: a method is found before.
  setmetatable(class, { __index = function(_, name)
    error(("%s has no '%s'%s"):format(what, tostring(name), nearest.hint(name, names)), 2)
  end })
  return setmetatable(object or {}, class)
end
