/*
 * List state: a head in the key's entry. A short list lies in it (list_head.h); the
 * elements of others are in chunks of about a kilobyte, a row each, so that an append
 * rewrites one chunk and not the list.
 *
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/keyed_state.h"

/* <cdef> */
/* Append elements (none of them CELL_ABSENT), whose bytes count from `bytes`. */
int list_state_add(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *values, uint32_t count, const char *bytes);
int list_state_clear(struct keyed_state *state, struct entry *owner, uint32_t slot);
uint32_t list_state_count(const struct entry *owner, uint32_t slot);
/* Append the elements that the list of another entry has. */
int list_state_add_from(struct keyed_state *state, struct entry *owner, uint32_t slot, struct entry *other);
/* All elements: list->length cells at list->offset in the arena, in which their bytes lie too. */
int list_state_get(struct keyed_state *state, struct entry *owner, uint32_t slot, struct arena *arena, struct cell *list);
/* </cdef> */
