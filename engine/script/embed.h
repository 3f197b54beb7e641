/* The Lua files of lua/ and the ffi.cdef text, carried in the executable (made by scripts/embed.lua). */
#pragma once

#include <stddef.h>

struct embedded_module { const char *name; const char *text; size_t bytes; };

/* All modules; the last has a NULL name. */
extern const struct embedded_module embedded_modules[];

/* The text of all cdef blocks: whoever loads the library declares it with this one function. */
const char *moontide_declarations(void);
