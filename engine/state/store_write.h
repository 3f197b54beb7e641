/*
 * The rows that store_write_put() and store_write_remove() gathered, as the store
 * that applies them sees them.
 *
 * Owner    the store_write; offsets count from its bytes.
 */
#pragma once

#include "state/store.h"

struct store_row {
    uint64_t key_first;     /* the key's first 8 bytes as a number, zeros behind a shorter one: most comparisons end here */
    size_t offset;          /* of the key; the value follows it */
    uint32_t key_bytes;
    uint32_t value_bytes;
    uint32_t order;
    bool removed;
};

struct store_write {
    struct buffer bytes;
    struct store_row *rows;
    uint32_t count, capacity;
};

static inline struct slice store_row_key(const struct store_write *write, const struct store_row *row)
{
    return slice_of(write->bytes.data + row->offset, row->key_bytes);
}

static inline struct slice store_row_value(const struct store_write *write, const struct store_row *row)
{
    return slice_of(write->bytes.data + row->offset + row->key_bytes, row->value_bytes);
}

/* Bring the rows into key order; of several writes to one key the last stays. */
void store_write_sort(struct store_write *write);
void store_write_clear(struct store_write *write);
