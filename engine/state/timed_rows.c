#include "state/timed_rows.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/key.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/payload.h"

#include <stdlib.h>

#define SORTED_BY_INSERTION_MAX 16

/* An element: a list of two, a 64-bit integer, the length and the bytes of a binary. All of it msgpack, of fixed length. */
#define HEAD_LIST ((char)0x92)
#define HEAD_INT64 ((char)0xd3)
#define HEAD_BINARY ((char)0xc6)
#define TIME_AT 2
#define BINARY_AT 10
#define LENGTH_AT 11
#define ROW_HEAD_BYTES 15

void timed_rows_deinit(struct timed_rows *rows)
{
    free(rows->rows);
    arena_deinit(&rows->arena);
    buffer_deinit(&rows->scratch);
    *rows = (struct timed_rows){ 0 };
}

/* ---- One element ---- */

/* Times and lengths are big endian, as all of msgpack. */
static void put_time(char *out, int64_t time)
{
    uint64_t ordered = key_big_endian((uint64_t)time);
    memcpy(out, &ordered, sizeof ordered);
}

static int64_t get_time(const char *in)
{
    uint64_t ordered;
    memcpy(&ordered, in, sizeof ordered);
    return (int64_t)key_big_endian(ordered);
}

static void put_length(char *out, uint32_t length)
{
    uint64_t ordered = key_big_endian((uint64_t)length << 32);
    memcpy(out, &ordered, sizeof length);
}

static uint32_t get_length(const char *in)
{
    uint64_t ordered = 0;
    memcpy(&ordered, in, sizeof(uint32_t));
    return (uint32_t)(key_big_endian(ordered) >> 32);
}

static struct slice element_write(struct buffer *out, int64_t time, const struct cell *value, const char *bytes)
{
    buffer_clear(out);
    buffer_reserve(out, ROW_HEAD_BYTES);
    out->bytes = ROW_HEAD_BYTES;
    msgpack_write_cell(out, *value, bytes);
    out->data[0] = HEAD_LIST;
    out->data[1] = HEAD_INT64;
    put_time(out->data + TIME_AT, time);
    out->data[BINARY_AT] = HEAD_BINARY;
    put_length(out->data + LENGTH_AT, (uint32_t)(out->bytes - ROW_HEAD_BYTES));
    return buffer_slice(out);
}

/* The element at the front of `in`, which is moved behind it. */
static int element_read(struct slice *in, struct timed_row *row)
{
    const char *at = in->data;
    if (in->bytes < ROW_HEAD_BYTES || at[0] != HEAD_LIST || at[1] != HEAD_INT64 || at[BINARY_AT] != HEAD_BINARY)
        return error_set(ERROR_CORRUPT, "state: a buffered row without its head");
    row->time = get_time(at + TIME_AT);
    row->packed_bytes = get_length(at + LENGTH_AT);
    row->packed = at + ROW_HEAD_BYTES;
    if (row->packed_bytes > in->bytes - ROW_HEAD_BYTES)
        return error_set(ERROR_CORRUPT, "state: a buffered row that is cut short");
    *in = slice_of(row->packed + row->packed_bytes, in->bytes - ROW_HEAD_BYTES - row->packed_bytes);
    return 0;
}

/* ---- Chunks ---- */

static uint32_t chunks_of(const struct entry *owner, uint32_t slot)
{
    return list_state_count(owner, slot) == 0 ? 0 : (uint32_t)owner->slots[slot].natural;
}

static void head_set(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t count, uint32_t chunks)
{
    struct cell head = { .tag = SLOT_LIST, .length = count, .natural = chunks };
    state_slot_set(state, 0, owner, slot, count == 0 ? (struct cell){ .tag = CELL_ABSENT } : head);
}

/* The bytes of a chunk; none where all of its rows were removed. */
static int chunk_bytes(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t index, struct entry **chunk, struct slice *bytes)
{
    int status = list_chunk_find(state, owner, slot, index, false, chunk);
    bool there = status == 0 && *chunk != NULL && (*chunk)->slots[0].tag == CELL_STRING;
    *bytes = there ? slice_of((*chunk)->slots[0].payload, (*chunk)->slots[0].length) : slice_of("", 0);
    return status;
}

static int element_append(struct keyed_state *state, struct entry *owner, uint32_t slot, struct slice element)
{
    uint32_t chunks = chunks_of(owner, slot);
    struct entry *chunk;
    if (chunks == 0)
        chunks++;
    int status = list_chunk_find(state, owner, slot, chunks - 1, true, &chunk);
    if (status == 0 && chunk->slots[0].tag == CELL_STRING && chunk->slots[0].length + element.bytes > LIST_CHUNK_BYTES)
        status = list_chunk_find(state, owner, slot, chunks++, true, &chunk);
    if (status < 0)
        return status;
    list_chunk_append(state, state->child_column[slot], chunk, element);
    head_set(state, owner, slot, list_state_count(owner, slot) + 1, chunks);
    return 0;
}

int timed_rows_add(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t time, const struct cell *value, const char *bytes,
                   struct timed_rows *work)
{
    return element_append(state, owner, slot, element_write(&work->scratch, time, value, bytes));
}

/* ---- Finding ---- */

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
    return (left->order > right->order) - (left->order < right->order);
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

static int unpack(struct timed_rows *found)
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

int timed_rows_find(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t from, int64_t to, struct timed_rows *found)
{
    uint32_t order = 0, chunks = chunks_of(owner, slot);
    int status = 0;
    found->count = 0;
    for (uint32_t index = 0; index < chunks && status == 0; index++) {
        struct entry *chunk;
        struct slice in;
        status = chunk_bytes(state, owner, slot, index, &chunk, &in);
        while (status == 0 && in.bytes > 0) {
            struct timed_row row = { .order = order++ };
            status = element_read(&in, &row);
            if (status == 0 && row.time >= from && row.time <= to)
                *row_new(found) = row;
        }
    }
    if (status == 0 && order != list_state_count(owner, slot))
        status = error_set(ERROR_CORRUPT, "state: a buffer of %u rows says it has %u", order, list_state_count(owner, slot));
    if (status < 0)
        return status;
    sort(found);
    return unpack(found);
}

/* ---- Removing ---- */

/* How many rows stay and go, and where the bytes of those that go begin. */
static int count_removed(struct slice in, int64_t up_to, uint32_t *removed, size_t *kept_bytes)
{
    *removed = 0;
    *kept_bytes = 0;
    while (in.bytes > 0) {
        struct timed_row row;
        int status = element_read(&in, &row);
        if (status < 0)
            return status;
        if (row.time <= up_to)
            ++*removed;
        else
            *kept_bytes += ROW_HEAD_BYTES + row.packed_bytes;
    }
    return 0;
}

/* The rows that stay, one behind the other: in place, unless undo needs the old bytes. */
static void chunk_keep(struct keyed_state *state, uint32_t column, struct entry *chunk, struct slice in, int64_t up_to, size_t kept_bytes)
{
    state_touch(state, column, chunk);
    char *reuse = state_slot_reuse(state, &chunk->slots[0]), *target = reuse != NULL ? reuse : payload_new(kept_bytes);
    size_t used = 0;
    while (in.bytes > 0) {
        struct timed_row row;
        const char *start = in.data;
        if (element_read(&in, &row) < 0)
            break; /* not after it was counted */
        if (row.time <= up_to)
            continue;
        memmove(target + used, start, ROW_HEAD_BYTES + row.packed_bytes);
        used += ROW_HEAD_BYTES + row.packed_bytes;
    }
    state_slot_set(state, column, chunk, 0, (struct cell){ .tag = CELL_STRING, .length = (uint32_t)used, .payload = target });
}

static int chunk_remove(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t index, int64_t up_to, uint32_t *removed, bool *empty)
{
    struct entry *chunk;
    struct slice in;
    size_t kept_bytes = 0;
    uint32_t column = state->child_column[slot];
    int status = chunk_bytes(state, owner, slot, index, &chunk, &in);
    if (status == 0)
        status = count_removed(in, up_to, removed, &kept_bytes);
    *empty = kept_bytes == 0;
    if (status < 0 || *removed == 0)
        return status;
    if (kept_bytes == 0)
        state_slot_set(state, column, chunk, 0, (struct cell){ .tag = CELL_ABSENT });
    else
        chunk_keep(state, column, chunk, in, up_to, kept_bytes);
    return 0;
}

/* What is left, from chunk 0 on and without gaps. */
static int rebuild(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t chunks)
{
    struct buffer all;
    buffer_init(&all);
    int status = 0;
    for (uint32_t index = 0; index < chunks && status == 0; index++) {
        struct entry *chunk;
        struct slice in;
        status = chunk_bytes(state, owner, slot, index, &chunk, &in);
        if (status < 0 || in.bytes == 0)
            continue;
        buffer_append_slice(&all, in);
        state_slot_set(state, state->child_column[slot], chunk, 0, (struct cell){ .tag = CELL_ABSENT });
    }
    head_set(state, owner, slot, 0, 0);
    struct slice rest = buffer_slice(&all);
    while (status == 0 && rest.bytes > 0) {
        struct timed_row row;
        const char *start = rest.data;
        status = element_read(&rest, &row);
        if (status == 0)
            status = element_append(state, owner, slot, slice_of(start, (size_t)(rest.data - start)));
    }
    buffer_deinit(&all);
    return status;
}

/* Chunks that have become empty are closed up when they are most of them, so that a row is moved about once; and a list has not more chunks than elements. */
int timed_rows_remove(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t up_to)
{
    uint32_t chunks = chunks_of(owner, slot), left = list_state_count(owner, slot), removed_all = 0, live = 0;
    for (uint32_t index = 0; index < chunks; index++) {
        uint32_t removed = 0;
        bool empty = false;
        int status = chunk_remove(state, owner, slot, index, up_to, &removed, &empty);
        if (status < 0)
            return status;
        removed_all += removed;
        live += !empty;
    }
    if (removed_all == 0)
        return 0;
    if (removed_all > left)
        return error_set(ERROR_CORRUPT, "state: a buffer of %u rows held more", left);
    left -= removed_all;
    head_set(state, owner, slot, left, chunks);
    return left > 0 && (chunks > left || chunks > 2 * live + 1) ? rebuild(state, owner, slot, chunks) : 0;
}
