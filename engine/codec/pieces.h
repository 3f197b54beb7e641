/*
 * What a writer of rows puts before each value, made once for each shape: the
 * names in their written form, with whatever stands between two fields.
 *
 * Owner    a table is static and lives for ever, as shapes do.
 * Thread   any.
 */
#pragma once

#include "base/buffer.h"
#include "codec/shape.h"

#include <stdatomic.h>

struct pieces {
    int status;                        /* negative: a row of this shape cannot be written */
    uint32_t ends[SHAPE_FIELDS_MAX];   /* where in `text` the piece before value i ends */
    struct buffer text;                /* behind the last piece: the end of the row */
};

struct pieces_table {
    void (*make)(const struct shape *shape, struct pieces *pieces);
    _Atomic(struct pieces *) of_shape[SHAPES_MAX];
};

const struct pieces *pieces_make_for(struct pieces_table *table, const struct shape *shape);

static inline const struct pieces *pieces_of(struct pieces_table *table, const struct shape *shape)
{
    const struct pieces *pieces = atomic_load_explicit(&table->of_shape[shape->id], memory_order_acquire);
    return pieces != NULL ? pieces : pieces_make_for(table, shape);
}
