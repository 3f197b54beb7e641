/*
 * List state: a head in the key's entry (elements, chunks) and the elements in
 * chunks of about a kilobyte, a row each, so that an append rewrites one chunk
 * and not the list.
 *
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/keyed_state.h"

/* <cdef> */
/* Append one element (not CELL_ABSENT). */
int list_state_add(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *value, const char *bytes);
int list_state_clear(struct keyed_state *state, struct entry *owner, uint32_t slot);
uint32_t list_state_count(const struct entry *owner, uint32_t slot);
/* Element by element from the front: 1 and the next one (its bytes in `arena`), 0 at the end. *cursor is {0, 0} at the start. */
struct list_cursor { uint32_t chunk; uint32_t offset; };
int list_state_next(struct keyed_state *state, struct entry *owner, uint32_t slot, struct list_cursor *cursor, struct arena *arena, struct cell *value);
/* </cdef> */
