--- The value that stands for null: nil ends arrays and cannot be stored in tables.
---@class Null
return setmetatable({}, {
  __tostring = function() return "null" end,
  __metatable = "null",
  __newindex = function(_, name) error(("a field '%s' of mt.null, which is no table of its own"):format(tostring(name)), 2) end,
})
