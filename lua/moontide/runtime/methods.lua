--- An object of a class whose methods are all there is: a misspelt one is told, with what was meant.
local nearest = require "moontide.nearest"

---@param class table its methods by name; it becomes the object's metatable
---@param what string how an author calls the object: "ctx"
---@return table
return function(class, what)
  local names = {}
  for name in pairs(class) do names[#names + 1] = name end
  class.__index = class
  -- Reached only by a name that is none of them: a method is found before.
  setmetatable(class, { __index = function(_, name)
    error(("%s has no '%s'%s"):format(what, tostring(name), nearest.hint(name, names)), 2)
  end })
  return setmetatable({}, class)
end
