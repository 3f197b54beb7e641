-- Environment variables of this process, and so of what it starts.
local ffi = require "ffi"

ffi.cdef "int setenv(const char *name, const char *value, int overwrite); int unsetenv(const char *name);"

local M = {}

--- Set a variable, or take it away where `value` is nil. Answers what puts it back as it was.
function M.set(name, value)
  local before = os.getenv(name)
  if value then ffi.C.setenv(name, value, 1) else ffi.C.unsetenv(name) end
  return function() M.set(name, before) end
end

return M
