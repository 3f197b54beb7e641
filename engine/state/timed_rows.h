/*
 * A buffer of values by time, of one key. Its newest rows lie in a value of the key's
 * entry, up to a chunk's length of them; what is older lies in chunks (timed_chunks.h), in
 * which it stays. A buffer of few rows thus costs no look-up but that of its key, and one
 * of many is not rewritten when it grows. Rows lie in the order in which they were added.
 *
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/timed_chunks.h"

int timed_rows_add(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t time, const struct cell *value,
                   const char *bytes, struct buffer *scratch);
/* Has the buffer a row that is not later? "No" may be wrong. */
bool timed_rows_begin_by(const struct entry *owner, const struct timed_slots *slots, int64_t time);
/* The rows with from <= time <= to, in order; what was found before is gone. */
int timed_rows_find(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t from, int64_t to, struct timed_found *found);
/* Forget the rows with a time <= up_to; *first is the earliest time of those that are left, INT64_MAX without any. */
int timed_rows_remove(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t up_to, int64_t *first);
