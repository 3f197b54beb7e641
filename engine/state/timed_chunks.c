/*
 * Chunks are never sorted, nor rows within them: rows come about in the order of their
 * times, so that the times which chunks span overlap little, and an append never rewrites
 * what lies before it. A find passes by the spans of all chunks, which lie side by side.
 */
#include "state/timed_chunks.h"

#include "state/keyed_state_internal.h"
#include "state/list_state.h"
#include "state/payload.h"

static uint32_t chunks_of(const struct entry *owner, const struct timed_slots *slots)
{
    return list_state_count(owner, slots->older) == 0 ? 0 : (uint32_t)owner->slots[slots->older].natural;
}

static void head_set(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, uint32_t rows, uint32_t chunks)
{
    struct cell head = { .tag = SLOT_LIST, .length = rows, .natural = chunks };
    state_slot_set(state, 0, owner, slots->older, rows == 0 ? (struct cell){ .tag = CELL_ABSENT } : head);
}

/* The bytes of a chunk; none where all of its rows were removed. */
static int chunk_bytes(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, uint32_t index, struct entry **chunk,
                       struct slice *bytes)
{
    int status = list_chunk_find(state, owner, slots->older, index, false, chunk);
    bool there = status == 0 && *chunk != NULL && (*chunk)->slots[0].tag == CELL_STRING;
    *bytes = there ? slice_of((*chunk)->slots[0].payload, (*chunk)->slots[0].length) : slice_of("", 0);
    return status;
}

/* ---- Ranges ---- */

static const struct timed_range *ranges_read(const struct entry *owner, const struct timed_slots *slots)
{
    return (const struct timed_range *)(const void *)owner->slots[slots->ranges].payload;
}

/* The ranges of `chunks` chunks, to be written: those that were there, as they were. */
static struct timed_range *ranges_write(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, uint32_t chunks)
{
    struct cell *slot = &owner->slots[slots->ranges];
    size_t bytes = chunks * sizeof(struct timed_range), before = slot->tag == CELL_STRING ? slot->length : 0;
    char *payload = state_slot_reuse(state, slot);
    if (payload == NULL || payload_capacity(payload) < bytes) {
        payload = payload_new(bytes + bytes / 2);
        if (before > 0)
            memcpy(payload, slot->payload, before < bytes ? before : bytes);
    }
    state_slot_set(state, 0, owner, slots->ranges, (struct cell){ .tag = CELL_STRING, .length = (uint32_t)bytes, .payload = payload });
    return (struct timed_range *)(void *)payload;
}

static void ranges_forget(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots)
{
    if (owner->slots[slots->ranges].tag != CELL_ABSENT)
        state_slot_set(state, 0, owner, slots->ranges, (struct cell){ .tag = CELL_ABSENT });
}

/* They go with the cache, and are made again from the chunks when those are asked for. */
static int ranges_make(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots)
{
    uint32_t chunks = chunks_of(owner, slots);
    uint64_t rows = 0;
    int status = 0;
    if (chunks == 0 || owner->slots[slots->ranges].tag != CELL_ABSENT)
        return 0;
    struct timed_range *ranges = ranges_write(state, owner, slots, chunks);
    for (uint32_t index = 0; index < chunks && status == 0; index++) {
        struct entry *chunk;
        struct slice block;
        status = chunk_bytes(state, owner, slots, index, &chunk, &block);
        if (status == 0)
            status = timed_range_of(block, &ranges[index]);
        rows += status == 0 ? ranges[index].rows : 0;
    }
    if (status == 0 && rows != list_state_count(owner, slots->older))
        status = error_set(ERROR_CORRUPT, "state: a buffer of %u rows says it has %llu", list_state_count(owner, slots->older), (unsigned long long)rows);
    if (status < 0)
        ranges_forget(state, owner, slots);
    return status;
}

/* ---- Adding ---- */

int timed_chunks_append(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, struct slice block, const struct timed_range *range)
{
    int status = ranges_make(state, owner, slots);
    uint32_t chunks = chunks_of(owner, slots);
    struct entry *chunk;
    if (status == 0)
        status = list_chunk_find(state, owner, slots->older, chunks, true, &chunk);
    if (status < 0)
        return status;
    state_slot_append(state, state->child_column[slots->older], chunk, 0, block);
    head_set(state, owner, slots, list_state_count(owner, slots->older) + range->rows, chunks + 1);
    ranges_write(state, owner, slots, chunks + 1)[chunks] = *range;
    return 0;
}

/* ---- Finding ---- */

int timed_chunks_find(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t from, int64_t to, struct timed_found *found)
{
    int status = ranges_make(state, owner, slots);
    uint32_t chunks = chunks_of(owner, slots);
    const struct timed_range *ranges = ranges_read(owner, slots);
    for (uint32_t index = 0; index < chunks && status == 0; index++) {
        if (ranges[index].rows == 0 || ranges[index].last < from || ranges[index].first > to)
            continue;
        struct entry *chunk;
        struct slice block;
        status = chunk_bytes(state, owner, slots, index, &chunk, &block);
        if (status == 0 && block.bytes == 0)
            status = error_set(ERROR_CORRUPT, "state: a buffer without its chunk %u", index);
        if (status == 0)
            status = timed_found_collect(found, block, from, to);
    }
    return status;
}

/* ---- Removing ---- */

static int count_removed(struct slice block, int64_t up_to, struct timed_range *left, size_t *left_bytes)
{
    int removed = 0;
    *left = TIMED_RANGE_EMPTY;
    *left_bytes = 0;
    while (block.bytes > 0) {
        struct timed_row row;
        int status = timed_row_read(&block, &row);
        if (status < 0)
            return status;
        if (row.time <= up_to) {
            removed++;
            continue;
        }
        timed_range_add(left, row.time);
        *left_bytes += TIMED_ROW_HEAD_BYTES + row.packed_bytes;
    }
    return removed;
}

/* The rows that stay, one behind the other. */
static void rows_keep(char *target, struct slice block, int64_t up_to)
{
    while (block.bytes > 0) {
        struct timed_row row;
        const char *start = block.data;
        if (timed_row_read(&block, &row) < 0)
            break; /* not after it was counted */
        if (row.time <= up_to)
            continue;
        memmove(target, start, TIMED_ROW_HEAD_BYTES + row.packed_bytes);
        target += TIMED_ROW_HEAD_BYTES + row.packed_bytes;
    }
}

int timed_block_remove(struct keyed_state *state, uint32_t column, struct entry *entry, uint32_t slot, int64_t up_to, struct timed_range *left)
{
    struct cell old = entry->slots[slot];
    struct slice block = old.tag == CELL_STRING ? slice_of(old.payload, old.length) : slice_of("", 0);
    size_t left_bytes;
    int removed = count_removed(block, up_to, left, &left_bytes);
    if (removed <= 0)
        return removed;
    struct cell kept = { .tag = CELL_ABSENT };
    state_touch(state, column, entry); /* before bytes are moved in place */
    if (left_bytes > 0) {
        char *reuse = state_slot_reuse(state, &old);
        kept = (struct cell){ .tag = CELL_STRING, .length = (uint32_t)left_bytes, .payload = reuse != NULL ? reuse : payload_new(left_bytes) };
        rows_keep(kept.payload, block, up_to);
    }
    state_slot_set(state, column, entry, slot, kept);
    return removed;
}

/* A chunk that nothing stays of is not read. */
static int chunk_remove(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, uint32_t index, int64_t up_to,
                        struct timed_range *range)
{
    struct entry *chunk;
    struct slice block;
    uint32_t column = state->child_column[slots->older];
    int status = chunk_bytes(state, owner, slots, index, &chunk, &block), rows = (int)range->rows;
    if (status == 0 && block.bytes == 0)
        return error_set(ERROR_CORRUPT, "state: a buffer without its chunk %u", index);
    if (status < 0 || range->last > up_to)
        return status < 0 ? status : timed_block_remove(state, column, chunk, 0, up_to, range);
    state_slot_set(state, column, chunk, 0, (struct cell){ .tag = CELL_ABSENT });
    *range = TIMED_RANGE_EMPTY;
    return rows;
}

/* Every chunk that is left, moved to the front: each row of a chunk is moved once while as many chunks go. */
static int chunks_close_up(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, uint32_t chunks)
{
    struct timed_range *ranges = ranges_write(state, owner, slots, chunks);
    uint32_t column = state->child_column[slots->older], live = 0;
    for (uint32_t index = 0; index < chunks; index++) {
        struct entry *from, *to;
        struct slice block;
        if (ranges[index].rows == 0 || live++ == index)
            continue;
        int status = chunk_bytes(state, owner, slots, index, &from, &block);
        if (status == 0)
            status = list_chunk_find(state, owner, slots->older, live - 1, true, &to);
        if (status < 0)
            return status;
        state_slot_append(state, column, to, 0, block);
        state_slot_set(state, column, from, 0, (struct cell){ .tag = CELL_ABSENT });
        ranges[live - 1] = ranges[index];
    }
    head_set(state, owner, slots, list_state_count(owner, slots->older), live);
    ranges_write(state, owner, slots, live);
    return 0;
}

static uint32_t live_count(const struct timed_range *ranges, uint32_t chunks, int64_t *first)
{
    uint32_t live = 0;
    for (uint32_t index = 0; index < chunks; index++) {
        live += ranges[index].rows > 0;
        *first = ranges[index].first < *first ? ranges[index].first : *first;
    }
    return live;
}

/* Empty chunks are closed up when they are most of them; and a list has not more chunks than elements. */
static int chunks_left(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, uint32_t rows, uint32_t chunks, int64_t *first)
{
    uint32_t live = live_count(ranges_read(owner, slots), chunks, first);
    head_set(state, owner, slots, rows, chunks);
    if (rows == 0)
        ranges_forget(state, owner, slots);
    return rows > 0 && (chunks > rows || chunks > 2 * live + 1) ? chunks_close_up(state, owner, slots, chunks) : 0;
}

int timed_chunks_remove(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t up_to, int64_t *first)
{
    int status = ranges_make(state, owner, slots);
    uint32_t chunks = chunks_of(owner, slots), rows = list_state_count(owner, slots->older), removed = 0;
    *first = INT64_MAX;
    if (status < 0 || chunks == 0)
        return status;
    live_count(ranges_read(owner, slots), chunks, first);
    if (*first > up_to)
        return 0;
    *first = INT64_MAX;
    struct timed_range *ranges = ranges_write(state, owner, slots, chunks);
    for (uint32_t index = 0; index < chunks; index++) {
        if (ranges[index].rows == 0 || ranges[index].first > up_to)
            continue;
        status = chunk_remove(state, owner, slots, index, up_to, &ranges[index]);
        if (status < 0)
            return status;
        removed += (uint32_t)status;
    }
    if (removed > rows)
        return error_set(ERROR_CORRUPT, "state: a buffer of %u rows held more", rows);
    return chunks_left(state, owner, slots, rows - removed, chunks, first);
}
