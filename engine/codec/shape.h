/*
 * Shapes: the sets of field names that rows have. A shape is interned once for
 * the process and lives until it ends, so its id may cross workers and be
 * compared instead of the names.
 *
 * Thread   any; looking up takes no lock.
 * Limits   a table of SHAPES_MAX; input that brings more sets of names than that
 *          (or a row of more than SHAPE_FIELDS_MAX) is kept as CELL_PACKED instead:
 *          shape_intern() then answers SHAPE_NONE, which is not an error.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

#define SHAPES_MAX 16384
#define SHAPE_FIELDS_MAX 250
#define SHAPE_NONE UINT32_MAX

/* <cdef> */
struct shape {
    uint32_t id;
    uint32_t count;          /* fields */
    struct slice names[1];   /* `count` of them, in byte order, no two equal */
};
/* The shape with exactly these names, which are in byte order without repeats. The names are copied. */
uint32_t shape_intern(const struct slice *names, uint32_t count);
/* A shape by id; the id came from shape_intern(). */
const struct shape *shape_get(uint32_t id);
/* </cdef> */

/* How many there are. */
uint32_t shape_count(void);
/* The index of `name`, or -1. */
int shape_field(const struct shape *shape, struct slice name);
