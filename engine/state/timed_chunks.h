/*
 * The older rows of a buffer of values by time (timed_rows.h), in chunks: rows of a list
 * state, in the order in which they were added. Beside the chunks a derived value keeps
 * the times that each of them spans, so that one is only looked up for what is in it. A
 * chunk may be empty: all of its rows are gone.
 *
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/keyed_state.h"
#include "state/timed_found.h"

/* <cdef> */
/* Where a buffer lies in the entry of its key: a value that holds the newest rows, a list, a derived value. */
struct timed_slots { uint32_t newest, older, ranges; };
/* </cdef> */

/* A chunk more of these rows, one or more, whose range is given. */
int timed_chunks_append(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, struct slice block, const struct timed_range *range);
/* Collect the rows with from <= time <= to. */
int timed_chunks_find(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t from, int64_t to, struct timed_found *found);
/* Forget the rows with a time <= up_to; *first is not above the time of any that is left. */
int timed_chunks_remove(struct keyed_state *state, struct entry *owner, const struct timed_slots *slots, int64_t up_to, int64_t *first);

/* The rows of a block in a slot of any entry that have a time <= up_to go; `left` is what stays. Answers how many went. */
int timed_block_remove(struct keyed_state *state, uint32_t column, struct entry *entry, uint32_t slot, int64_t up_to, struct timed_range *left);
