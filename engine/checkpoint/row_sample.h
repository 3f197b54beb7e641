/*
 * How many rows a dump holds, guessed from the first ones of each of its frames:
 * tables that are made as large as they will be need not grow on the way, and
 * take no more memory than they need.
 *
 * Thread   any.
 * Errors   none: what is read here is not checked, and a guess may be wrong. Of
 *          what cannot be read the answer is 0.
 */
#pragma once

#include <stdint.h>

/* <cdef> */
/* About how many rows of this column and these key groups the dump at `path` has. */
uint64_t row_sample_count(const char *path, uint16_t column, uint16_t group_first, uint16_t group_last);
/* </cdef> */
