/*
 * All rows of the keyed states of one worker, for harness.c: wherever they lie
 * (cache or store), in the form that deltas and bases have.
 *
 * Thread   the worker's.
 */
#pragma once

#include "dataflow/by_hand.h"
#include "state/backend.h"

/* Append them. Rows that lie in the cache alone go to the states' own output instead, which is to append them to `rows`. */
int harness_rows_gather(const struct plan *plan, struct worker *worker, struct backend *backend, struct buffer *rows);
/* How many values, map entries and list elements they are: of the cache; of gathered rows. */
int64_t harness_rows_cached(const struct plan *plan, const struct worker *worker);
int64_t harness_rows_count(const struct plan *plan, uint32_t subtask, struct slice rows);
