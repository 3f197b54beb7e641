#include "state/timed_rows.h"

#include "state/keyed_state_internal.h"

static struct slice newest_of(const struct entry *owner, const struct timed_slots *slots)
{
    const struct cell *slot = &owner->slots[slots->newest];
    return slot->tag == CELL_STRING ? slice_of(slot->payload, slot->length) : slice_of("", 0);
}

/* ---- Adding ---- */

/* What was newest becomes a chunk. */
static int newest_spill(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots)
{
    struct timed_range range;
    struct slice newest = newest_of(owner, slots);
    int status = timed_range_of(newest, &range);
    if (status == 0)
        status = timed_chunks_append(state, owner, slots, newest, &range);
    if (status == 0)
        state_slot_set(state, 0, owner, slots->newest, (struct cell){ .tag = CELL_ABSENT });
    return status;
}

int timed_rows_add(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t time, const struct cell *value,
                   const char *bytes, struct buffer *scratch)
{
    struct slice row = timed_row_write(scratch, time, value, bytes);
    size_t newest = newest_of(owner, slots).bytes;
    int status = newest > 0 && newest + row.bytes > LIST_CHUNK_BYTES ? newest_spill(state, owner, slots) : 0;
    if (status == 0)
        state_slot_append(state, 0, owner, slots->newest, row);
    return status;
}

bool timed_rows_begin_by(const struct entry *owner, const struct timed_slots *slots, int64_t time)
{
    struct slice newest = newest_of(owner, slots);
    return timed_row_is_whole(newest) && timed_row_time(newest.data) <= time;
}

/* ---- Finding ---- */

int timed_rows_find(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t from, int64_t to, struct timed_found *found)
{
    timed_found_begin(found);
    int status = timed_chunks_find(state, owner, slots, from, to, found);
    if (status == 0)
        status = timed_found_collect(found, newest_of(owner, slots), from, to);
    return status < 0 ? status : timed_found_end(found);
}

/* ---- Removing ---- */

int timed_rows_remove(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t up_to, int64_t *first)
{
    struct timed_range left;
    int status = timed_chunks_remove(state, owner, slots, up_to, first);
    if (status == 0)
        status = timed_block_remove(state, 0, owner, slots->newest, up_to, &left);
    if (status >= 0 && left.first < *first)
        *first = left.first;
    return status < 0 ? status : 0;
}
