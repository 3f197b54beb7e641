/*
 * From fields as the input has them to a row: what the readers of msgpack and
 * JSON share. The orders of fields met last are remembered per thread, so that a
 * record like an earlier one costs a comparison of its names, no sort, no hash.
 */
#pragma once

#include "base/arena.h"
#include "base/slice.h"
#include "codec/cell.h"
#include "codec/shape.h"

#include <stdbool.h>

struct row_fields {
    uint32_t count;
    struct slice names[SHAPE_FIELDS_MAX];
    struct cell values[SHAPE_FIELDS_MAX];
};

enum row_result {
    ROW_MADE = 0,
    ROW_WITHOUT_SHAPE = 1, /* there are too many shapes: keep the map packed */
    ROW_REPEATED = 2,      /* a name stands there twice; the row is made all the same, with the last value */
};

/* Put the fields in the order of their shape into `arena`, which holds the values' bytes already. */
enum row_result row_make(const struct row_fields *fields, struct arena *arena, struct cell *row);
