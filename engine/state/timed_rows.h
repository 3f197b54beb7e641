/*
 * A list state used as a buffer of values by time. An element is [time, packed value],
 * with a head of fixed length, so that rows are told apart without being read. They lie
 * in the order in which they were added. A chunk may be missing: all of its rows are gone.
 *
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/list_state.h"

/* <cdef> */
/* `order` tells rows of one time apart: the first one that was added is the first. */
struct timed_row { int64_t time; uint32_t order; uint32_t packed_bytes; const char *packed; struct cell cell; };

/* Rows that were found; the caller's, all zero at first, its memory freed by timed_rows_deinit(). Cells' offsets count from arena.bytes. */
struct timed_rows { struct timed_row *rows; uint32_t count, capacity; struct arena arena; struct buffer scratch; };
void timed_rows_deinit(struct timed_rows *rows);
/* </cdef> */

/* `work` only lends its scratch. */
int timed_rows_add(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t time, const struct cell *value, const char *bytes,
                   struct timed_rows *work);
/* The rows with from <= time <= to, in order; what was found before is gone. */
int timed_rows_find(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t from, int64_t to, struct timed_rows *found);
/* Forget the rows with a time <= up_to. */
int timed_rows_remove(struct keyed_state *state, struct entry *owner, uint32_t slot, int64_t up_to);
