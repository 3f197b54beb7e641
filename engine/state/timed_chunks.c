/*
 * Chunks are never sorted, nor rows within them: rows come about in the order of their
 * times, so that the times which chunks span overlap little, and an append never rewrites
 * what lies before it. The spans of chunks lie side by side. Each knows besides how late
 * the chunks up to it go and how early those from it on begin: both only rise, so that a
 * find comes to the first chunk that may have rows for it by halves, and knows when there
 * are no more, however long the buffer is. How late they go may be said of rows that are
 * gone.
 */
#include "state/timed_chunks.h"

#include "base/error.h"
#include "state/keyed_state_internal.h"
#include "state/list_head.h"
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

struct chunk_range {
    struct timed_range own;
    int64_t latest;          /* no row of this chunk, and of those before it, is later */
    int64_t earliest;        /* no row of this chunk, and of those behind it, is earlier */
};

static const struct chunk_range *ranges_read(const struct entry *owner, const struct timed_slots *slots)
{
    return (const struct chunk_range *)(const void *)owner->slots[slots->ranges].payload;
}

/* The ranges of `chunks` chunks, to be written: those that were there, as they were. */
static struct chunk_range *ranges_write(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, uint32_t chunks)
{
    struct cell *slot = &owner->slots[slots->ranges];
    size_t bytes = chunks * sizeof(struct chunk_range), before = slot->tag == CELL_STRING ? slot->length : 0;
    char *payload = state_slot_reuse(state, slot);
    if (payload == NULL || payload_capacity(payload) < bytes) {
        payload = payload_new(bytes + bytes / 2);
        if (before > 0)
            memcpy(payload, slot->payload, before < bytes ? before : bytes);
    }
    state_slot_set(state, 0, owner, slots->ranges, (struct cell){ .tag = CELL_STRING, .length = (uint32_t)bytes, .payload = payload });
    return (struct chunk_range *)(void *)payload;
}

/* Chunk `index` is another: the bounds of those before it follow, as far as they are not as wide already. */
static void bounds_widen(struct chunk_range *ranges, uint32_t index)
{
    for (uint32_t i = index; i-- > 0 && ranges[i].earliest > ranges[index].earliest;)
        ranges[i].earliest = ranges[index].earliest;
}

/* The last of `index` + 1 chunks is new. */
static void bounds_append(struct chunk_range *ranges, uint32_t index)
{
    struct chunk_range *range = &ranges[index];
    bool later = index == 0 || ranges[index - 1].latest < range->own.last;
    range->latest = later ? range->own.last : ranges[index - 1].latest;
    range->earliest = range->own.first;
    bounds_widen(ranges, index);
}

/* The bounds of the first `count` chunks, as narrow as those behind them allow. */
static void bounds_narrow(struct chunk_range *ranges, uint32_t count, uint32_t chunks)
{
    int64_t earliest = count < chunks ? ranges[count].earliest : INT64_MAX;
    for (uint32_t i = count; i-- > 0;) {
        earliest = ranges[i].own.first < earliest ? ranges[i].own.first : earliest;
        ranges[i].earliest = earliest;
    }
}

/* The first chunk that may have rows from this time on. */
static uint32_t first_reaching(const struct chunk_range *ranges, uint32_t chunks, int64_t from)
{
    uint32_t low = 0, high = chunks;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ranges[middle].latest < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
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
    if (list_head_is_short(&owner->slots[slots->older]))
        return error_set(ERROR_CORRUPT, "state: a buffer with the head of a short list");
    if (chunks == 0 || owner->slots[slots->ranges].tag != CELL_ABSENT)
        return 0;
    struct chunk_range *ranges = ranges_write(state, owner, slots, chunks);
    for (uint32_t index = 0; index < chunks && status == 0; index++) {
        struct entry *chunk;
        struct slice block;
        status = chunk_bytes(state, owner, slots, index, &chunk, &block);
        if (status == 0)
            status = timed_range_of(block, &ranges[index].own);
        if (status < 0)
            break;
        bounds_append(ranges, index);
        rows += ranges[index].own.rows;
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
    struct chunk_range *ranges = ranges_write(state, owner, slots, chunks + 1);
    ranges[chunks].own = *range;
    bounds_append(ranges, chunks);
    return 0;
}

/* ---- Finding ---- */

int timed_chunks_find(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t from, int64_t to, struct timed_found *found)
{
    int status = ranges_make(state, owner, slots);
    uint32_t chunks = chunks_of(owner, slots);
    const struct chunk_range *ranges = ranges_read(owner, slots);
    uint32_t index = status == 0 ? first_reaching(ranges, chunks, from) : 0;
    for (; index < chunks && status == 0 && ranges[index].earliest <= to; index++) {
        const struct timed_range *own = &ranges[index].own;
        if (own->rows == 0 || own->last < from || own->first > to)
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
    struct chunk_range *ranges = ranges_write(state, owner, slots, chunks);
    uint32_t column = state->child_column[slots->older], live = 0;
    for (uint32_t index = 0; index < chunks; index++) {
        struct entry *from, *to;
        struct slice block;
        if (ranges[index].own.rows == 0 || live++ == index)
            continue;
        int status = chunk_bytes(state, owner, slots, index, &from, &block);
        if (status == 0)
            status = list_chunk_find(state, owner, slots->older, live - 1, true, &to);
        if (status < 0)
            return status;
        state_slot_append(state, column, to, 0, block);
        state_slot_set(state, column, from, 0, (struct cell){ .tag = CELL_ABSENT });
        ranges[live - 1] = ranges[index]; /* with bounds that hold there too */
    }
    head_set(state, owner, slots, list_state_count(owner, slots->older), live);
    ranges_write(state, owner, slots, live);
    return 0;
}

static uint32_t live_count(const struct chunk_range *ranges, uint32_t chunks)
{
    uint32_t live = 0;
    for (uint32_t index = 0; index < chunks; index++)
        live += ranges[index].own.rows > 0;
    return live;
}

/* Empty chunks are closed up when they are most of them; and a list has not more chunks than elements. */
static int chunks_left(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, uint32_t rows, uint32_t chunks)
{
    uint32_t live = live_count(ranges_read(owner, slots), chunks);
    head_set(state, owner, slots, rows, chunks);
    if (rows == 0)
        ranges_forget(state, owner, slots);
    return rows > 0 && (chunks > rows || chunks > 2 * live + 1) ? chunks_close_up(state, owner, slots, chunks) : 0;
}

int timed_chunks_remove(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t up_to, int64_t *first)
{
    int status = ranges_make(state, owner, slots);
    uint32_t chunks = chunks_of(owner, slots), rows = list_state_count(owner, slots->older), removed = 0, index = 0;
    *first = status < 0 || chunks == 0 ? INT64_MAX : ranges_read(owner, slots)[0].earliest;
    if (status < 0 || chunks == 0 || *first > up_to)
        return status;
    struct chunk_range *ranges = ranges_write(state, owner, slots, chunks);
    for (; index < chunks && ranges[index].earliest <= up_to; index++) {
        if (ranges[index].own.rows == 0 || ranges[index].own.first > up_to)
            continue;
        status = chunk_remove(state, owner, slots, index, up_to, &ranges[index].own);
        if (status < 0)
            return status;
        removed += (uint32_t)status;
    }
    if (removed > rows)
        return error_set(ERROR_CORRUPT, "state: a buffer of %u rows held more", rows);
    bounds_narrow(ranges, index, chunks);
    *first = ranges[0].earliest;
    return chunks_left(state, owner, slots, rows - removed, chunks);
}
