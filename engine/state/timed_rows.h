/*
 * A map state used as a buffer of values by time: its keys are [time, sequence], where
 * the sequence tells values of one time apart, in the order in which they were added.
 *
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/map_state.h"

/* <cdef> */
/* `bytes` is what the cell's offsets count from. */
struct timed_row { int64_t time; uint64_t sequence; const char *bytes; struct cell cell; };

/* Rows that were found; the caller's, all zero at first, its memory freed by timed_rows_deinit(). */
struct timed_rows { struct timed_row *rows; uint32_t count, capacity; };
void timed_rows_deinit(struct timed_rows *rows);
/* </cdef> */

int timed_rows_add(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t time, const struct cell *value, const char *bytes);
/* The rows with from <= time <= to, in order; valid until the next call on this state. */
int timed_rows_find(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t from, int64_t to, struct timed_rows *found);
/* Forget the rows with a time <= up_to. */
int timed_rows_remove(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t up_to);
