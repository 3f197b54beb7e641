#include "state/store_write.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

struct store_write *store_write_new(void)
{
    return memory_new_zeroed(1, sizeof(struct store_write));
}

void store_write_free(struct store_write *write)
{
    buffer_deinit(&write->bytes);
    free(write->rows);
    free(write);
}

void store_write_clear(struct store_write *write)
{
    buffer_clear(&write->bytes);
    write->count = 0;
}

static void add_row(struct store_write *write, struct slice key, struct slice value, bool removed)
{
    assert(key.bytes <= UINT32_MAX && value.bytes <= UINT32_MAX);
    if (write->count == write->capacity) {
        write->capacity = write->capacity * 2 + 64;
        write->rows = memory_resize(write->rows, write->capacity * sizeof write->rows[0]);
    }
    write->rows[write->count] =
        (struct store_row){ slice_first(key), write->bytes.bytes, (uint32_t)key.bytes, (uint32_t)value.bytes, write->count, removed };
    write->count++;
    buffer_append_slice(&write->bytes, key);
    buffer_append_slice(&write->bytes, value);
}

void store_write_put(struct store_write *write, struct slice key, struct slice value)
{
    add_row(write, key, value, false);
}

void store_write_remove(struct store_write *write, struct slice key)
{
    add_row(write, key, slice_of("", 0), true);
}

uint32_t store_write_count(const struct store_write *write)
{
    return write->count;
}

size_t store_write_bytes(const struct store_write *write)
{
    return write->bytes.bytes;
}

/* Of writes to one key the last one comes first. */
static int compare_rows(const void *a, const void *b, void *self)
{
    const struct store_write *write = self;
    const struct store_row *left = a, *right = b;
    if (left->key_first != right->key_first)
        return left->key_first < right->key_first ? -1 : 1;
    int order = slice_compare(store_row_key(write, left), store_row_key(write, right));
    return order != 0 ? order : (left->order < right->order) - (left->order > right->order);
}

void store_write_sort(struct store_write *write)
{
    if (write->count < 2)
        return;
    qsort_r(write->rows, write->count, sizeof write->rows[0], compare_rows, write);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < write->count; i++) {
        if (!slice_equal(store_row_key(write, &write->rows[i]), store_row_key(write, &write->rows[kept - 1])))
            write->rows[kept++] = write->rows[i];
    }
    write->count = kept;
    for (uint32_t i = 0; i < kept; i++)
        write->rows[i].order = i; /* what is added later is still later */
}
