/*
 * Rows are searched for along the chain of the map's cached entries, whose newest is
 * the first: what a join looks for is young, and the walk ends when as many live
 * entries were seen as the map has.
 */
#include "state/timed_rows.h"

#include "base/memory.h"
#include "codec/key.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/payload.h"

#include <stdlib.h>

#define SORTED_BY_INSERTION_MAX 16

void timed_rows_deinit(struct timed_rows *rows)
{
    free(rows->rows);
    *rows = (struct timed_rows){ 0 };
}

/* The map key into the state's scratch: the next call on the map uses it. */
static void key_set(struct keyed_state *state, const struct entry *owner, int64_t time, uint64_t sequence)
{
    struct buffer *key = &state->scratch;
    buffer_clear(key);
    buffer_append(key, entry_key(owner), owner->key_bytes);
    msgpack_write_array(key, 2);
    uint32_t bytes = key_write_number((uint8_t *)buffer_reserve(key, KEY_PAD_BYTES), (double)time);
    if (bytes > 0)
        key->bytes += bytes;
    else
        msgpack_write_int(key, time);
    key->bytes += key_write_natural((uint8_t *)buffer_reserve(key, KEY_PAD_BYTES), sequence);
    memset(buffer_reserve(key, ENTRY_KEY_INLINED_MAX), 0, ENTRY_KEY_INLINED_MAX);
}

static int key_get(const struct entry *owner, const struct entry *child, struct timed_row *row)
{
    struct slice in = slice_of(entry_key(child) + owner->key_bytes, (size_t)child->key_bytes - owner->key_bytes);
    uint32_t count;
    int status = msgpack_read_array(&in, &count);
    if (status == 0)
        status = msgpack_read_int(&in, &row->time);
    return status < 0 ? status : msgpack_read_uint(&in, &row->sequence);
}

static int is_there(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t time, uint64_t sequence, bool *there)
{
    const struct cell *value;
    key_set(state, owner, time, sequence);
    int status = map_state_get(state, owner, slot, &value);
    *there = value != NULL;
    return status;
}

/* Rows of one time are removed together, so their sequences have no gap: how many there are is found by doubling and halving. */
static int count_of_time(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t time, uint64_t *count)
{
    uint64_t below = 0, above = 1; /* `below` rows are there for sure; row `above` - 1 is not */
    bool there;
    int status = is_there(state, owner, slot, time, 0, &there);
    while (status == 0 && there) {
        below = above;
        above *= 2;
        status = is_there(state, owner, slot, time, above - 1, &there);
    }
    while (status == 0 && below + 1 < above) {
        uint64_t middle = below + (above - below) / 2;
        status = is_there(state, owner, slot, time, middle - 1, &there);
        if (there)
            below = middle;
        else
            above = middle;
    }
    *count = below;
    return status;
}

int timed_rows_add(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t time, const struct cell *value, const char *bytes)
{
    uint64_t sequence = 0;
    int status = map_state_count(owner, slot) == 0 ? 0 : count_of_time(state, owner, slot, time, &sequence);
    if (status < 0)
        return status;
    key_set(state, owner, time, sequence);
    return map_state_put(state, owner, slot, value, bytes);
}

static struct timed_row *row_new(struct timed_rows *rows)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity * 2 + 16;
        rows->rows = memory_resize(rows->rows, rows->capacity * sizeof rows->rows[0]);
    }
    return &rows->rows[rows->count++];
}

static int compare(const void *a, const void *b)
{
    const struct timed_row *left = a, *right = b;
    if (left->time != right->time)
        return left->time < right->time ? -1 : 1;
    return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

static void sort(struct timed_rows *rows)
{
    if (rows->count > SORTED_BY_INSERTION_MAX) {
        qsort(rows->rows, rows->count, sizeof rows->rows[0], compare);
        return;
    }
    for (uint32_t i = 1; i < rows->count; i++) {
        struct timed_row row = rows->rows[i];
        uint32_t at = i;
        for (; at > 0 && compare(&rows->rows[at - 1], &row) > 0; at--)
            rows->rows[at] = rows->rows[at - 1];
        rows->rows[at] = row;
    }
}

int timed_rows_find(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t from, int64_t to, struct timed_rows *found)
{
    found->count = 0;
    uint32_t left = map_state_count(owner, slot);
    int status = left == 0 ? 0 : map_load_all(state, owner, slot);
    for (struct entry *child = map_first(owner, slot); status == 0 && left > 0 && child != NULL; child = map_link_of(child)->next) {
        if (child->slots[0].tag == CELL_ABSENT)
            continue;
        struct timed_row row;
        left--;
        status = key_get(owner, child, &row);
        if (status < 0 || row.time < from || row.time > to)
            continue;
        row.cell = slot_cell(&child->slots[0], &row.bytes);
        *row_new(found) = row;
    }
    sort(found);
    return status;
}

int timed_rows_remove(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t up_to)
{
    uint32_t left = map_state_count(owner, slot);
    int status = left == 0 ? 0 : map_load_all(state, owner, slot);
    for (struct entry *child = map_first(owner, slot); status == 0 && left > 0 && child != NULL; child = map_link_of(child)->next) {
        if (child->slots[0].tag == CELL_ABSENT)
            continue;
        struct timed_row row;
        left--;
        status = key_get(owner, child, &row);
        if (status < 0 || row.time > up_to)
            continue;
        key_set(state, owner, row.time, row.sequence);
        status = map_state_remove(state, owner, slot);
    }
    return status;
}
