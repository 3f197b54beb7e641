#include "state/timed_found.h"

#include "base/memory.h"

#include <stdlib.h>

#define SORTED_BY_INSERTION_MAX 16

void timed_found_deinit(struct timed_found *found)
{
    free(found->rows);
    arena_deinit(&found->arena);
    buffer_deinit(&found->scratch);
    *found = (struct timed_found){ 0 };
}

static struct timed_row *row_new(struct timed_found *found)
{
    if (found->count == found->capacity) {
        found->capacity = found->capacity * 2 + 16;
        found->rows = memory_resize(found->rows, found->capacity * sizeof found->rows[0]);
    }
    return &found->rows[found->count++];
}

int timed_found_collect(struct timed_found *found, struct slice block, int64_t from, int64_t to)
{
    while (block.bytes > 0) {
        struct timed_row row = { .order = found->count };
        int status = timed_row_read(&block, &row);
        if (status < 0)
            return status;
        if (row.time < from || row.time > to)
            continue;
        if (found->count > 0 && found->rows[found->count - 1].time > row.time)
            found->disordered = true;
        *row_new(found) = row;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct timed_row *left = a, *right = b;
    if (left->time != right->time)
        return left->time < right->time ? -1 : 1;
    return (left->order > right->order) - (left->order < right->order);
}

static void sort(struct timed_found *found)
{
    if (found->count > SORTED_BY_INSERTION_MAX) {
        qsort(found->rows, found->count, sizeof found->rows[0], compare);
        return;
    }
    for (uint32_t i = 1; i < found->count; i++) {
        struct timed_row row = found->rows[i];
        uint32_t at = i;
        for (; at > 0 && compare(&found->rows[at - 1], &row) > 0; at--)
            found->rows[at] = found->rows[at - 1];
        found->rows[at] = row;
    }
}

static int unpack(struct timed_found *found)
{
    arena_clear(&found->arena);
    for (uint32_t i = 0; i < found->count; i++) {
        struct timed_row *row = &found->rows[i];
        struct slice in = slice_of(row->packed, row->packed_bytes);
        int status = msgpack_read_cell(&in, &found->arena, &row->cell);
        if (status < 0)
            return status;
    }
    return 0;
}

void timed_found_begin(struct timed_found *found)
{
    found->count = 0;
    found->disordered = false;
}

int timed_found_end(struct timed_found *found)
{
    if (found->disordered)
        sort(found);
    return unpack(found);
}
