/*
 * What an interval join (in Lua) finds beside its call cell: the rows of each side of
 * the current key, by time (S57).
 *
 * Errors   a negative code with error_message(). Thread: the worker.
 */
#pragma once

#include "dataflow/call.h"
#include "state/timed_rows.h"

/* <cdef> */
/* One input of the join. Bounds are inclusive. */
struct call_interval_side {
    uint32_t own, other;     /* states: its rows, and the other side's */
    int64_t lower, upper;    /* of the other side's time less its own */
};
/* Keep record `record`, until no row of the other side can meet it; the other side's rows that do are `found`. Answers their number. */
int call_interval_add(struct call *call, int32_t record, const struct call_interval_side *side, struct timed_rows *found);
/* Forget what nothing can meet any more at `watermark`. */
int call_interval_clean(struct call *call, const struct call_interval_side *side, int64_t watermark);
/* </cdef> */
