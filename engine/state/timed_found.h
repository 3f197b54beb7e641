/*
 * The rows that were found in a buffer of values by time (timed_rows.h), in the order of
 * their times, those of one time in the order in which they were added.
 *
 * Owner    the caller's memory, all zero at first, freed by timed_found_deinit().
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "base/arena.h"
#include "state/timed_row.h"

/* <cdef> */
/* Cells' offsets count from arena.bytes. `scratch` is lent to who writes rows. */
struct timed_found { struct timed_row *rows; uint32_t count, capacity; bool disordered; struct arena arena; struct buffer scratch; };
void timed_found_deinit(struct timed_found *found);
/* </cdef> */

void timed_found_begin(struct timed_found *found);
/* Add the rows of a block with from <= time <= to. The block stays where it is until the end. */
int timed_found_collect(struct timed_found *found, struct slice block, int64_t from, int64_t to);
/* All are collected: order them, and read their values. */
int timed_found_end(struct timed_found *found);
