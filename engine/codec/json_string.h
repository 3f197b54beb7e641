/* Strings of JSON text; private to this floor. */
#pragma once

#include <stdint.h>

/*
 * Write what the `bytes` between the quotes mean to `to`, which has room for as
 * many. Answers the count, or ERROR_FORMAT: an unknown escape, or half of a
 * surrogate pair.
 */
int64_t json_unescape(const char *from, uint32_t bytes, char *to);
