/*
 * The list of a window that has an evictor: each element is a record with its time
 * and the input that it came by, as the msgpack array [value, time, input].
 *
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/keyed_state.h"

/* <cdef> */
/* Append a record, whose bytes count from `bytes`; `time` may be TIME_NONE. */
int window_list_add(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *value, const char *bytes, int64_t time, uint32_t input);
/* All of them: list->length times three cells at list->offset in the arena, a value, a time and an input (CELL_INT64 both). */
int window_list_get(struct keyed_state *state, struct entry *owner, uint32_t slot, struct arena *arena, struct cell *list);
/* Keep `count` elements of a list, those at `kept` (from 0, rising), and drop all others. */
int window_list_keep(struct keyed_state *state, struct entry *owner, uint32_t slot, const uint32_t *kept, uint32_t count);
/* Keep the last elements, at most so many. */
int window_list_keep_last(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t count);
/* </cdef> */
