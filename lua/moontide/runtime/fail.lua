--- A failed call of the engine as a Lua error.
local ffi = require "ffi"
local C = require "moontide.engine"

--- Raise the engine's message if `status` is negative; answer it otherwise.
return function(status)
  if status < 0 then error(ffi.string(C.error_message()), 0) end
  return status
end
