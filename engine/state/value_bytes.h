/*
 * A value that C keeps as bytes and changes in place: a text to all others. For states
 * without undo.
 *
 * Owner    the bytes belong to the entry, until the next call for the same slot.
 * Thread   the worker.
 */
#pragma once

#include "state/keyed_state.h"

/* The bytes that the slot holds: *bytes of them; NULL if it holds none. */
static inline char *value_bytes(const struct entry *entry, uint32_t slot, uint32_t *bytes)
{
    const struct cell *cell = &entry->slots[slot];
    *bytes = cell->tag == CELL_STRING ? cell->length : 0;
    return *bytes == 0 ? NULL : cell->payload;
}

/* Before bytes are changed: mark the entry as written. */
static inline void value_bytes_touch(struct keyed_state *state, const struct keyed_state_view *view, struct entry *entry)
{
    if (entry->dirty_epoch != view->epoch)
        keyed_state_touch(state, entry);
}

/* As many bytes, of which those that were there stay as they are; 0 clears the value. Answers them; what is new is not set. */
char *value_bytes_resize(struct keyed_state *state, struct entry *entry, uint32_t slot, uint32_t bytes);
