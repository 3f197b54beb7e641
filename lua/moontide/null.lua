--- The value that stands for null: nil ends arrays and cannot be stored in tables.
---@class Null
return setmetatable({}, { __tostring = function() return "null" end, __metatable = "null" })
