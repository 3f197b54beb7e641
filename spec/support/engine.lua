-- The engine's library, declared: what specs call C through.
local ffi = require "ffi"

local library = os.getenv("MOONTIDE_LIBRARY") or "build/libmoontide.so"
ffi.cdef "const char *moontide_declarations(void);"
local C = ffi.load(library)
ffi.cdef(ffi.string(C.moontide_declarations()))
return C
