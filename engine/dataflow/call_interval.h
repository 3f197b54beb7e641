/*
 * What an interval join (in Lua) finds beside its call cell: the rows of each side of
 * the current key, by time (S57).
 *
 * A buffer that is not empty has a timer, of the time at which its first row is forgotten or
 * of an earlier one. There is not one for each row.
 *
 * Errors   a negative code with error_message(). Thread: the worker.
 */
#pragma once

#include "dataflow/call.h"
#include "state/timed_rows.h"

/* <cdef> */
/* One input of the join. Bounds are inclusive. */
struct call_interval_side {
    struct timed_slots own, other; /* where its rows lie, and the other side's */
    int64_t lower, upper;          /* of the other side's time less its own */
};
/* Keep record `record`, until no row of the other side can meet it; the other side's rows that do are `found`. Answers their number. */
int call_interval_add(struct call *call, int32_t record, const struct call_interval_side *side, struct timed_found *found);
/* Forget what nothing can meet any more at the watermark, of both sides; `side` is any of them. */
int call_interval_clean(struct call *call, const struct call_interval_side *side);
/* </cdef> */
