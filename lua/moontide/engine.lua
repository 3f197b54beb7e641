--- The engine's C functions, declared: from this process if it is the
--- executable, else from the shared library named by MOONTIDE_LIBRARY.
local ffi = require "ffi"

local function is_declared(type_name)
  return (pcall(ffi.typeof, type_name))
end

ffi.cdef "const char *moontide_declarations(void);"

local function open()
  local inside = pcall(function() return ffi.C.moontide_declarations end)
  if inside then return ffi.C end
  return ffi.load(os.getenv("MOONTIDE_LIBRARY") or "build/libmoontide.so")
end

local C = open()
-- A type can be declared once per Lua state, while this file may be loaded again (busted drops modules between files).
if not is_declared("struct moontide_declared") then
  ffi.cdef(ffi.string(C.moontide_declarations()) .. "\nstruct moontide_declared { int unused; };")
end
return C
