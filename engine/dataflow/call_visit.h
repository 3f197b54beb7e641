/*
 * A visit to all keys of a step's keyed state that have something in one state, in the
 * order of the bytes of the keys (ctx:apply_to_keyed_state). The keys are those of the
 * beginning; they are handed out some at a time, in a call cell of their own, over
 * which states are bound as over the step's.
 *
 * Owner    call_visit_new() allocates, once for a step; call_visit_free() frees.
 * Errors   a negative code with error_message(). Thread: the worker.
 */
#pragma once

#include "dataflow/call.h"

/* <cdef> */
struct call_visit;
struct call_visit *call_visit_new(struct call *call);
void call_visit_free(struct call_visit *visit);
/* Of the keys at hand: index, count, keys, bytes, entries; and state, view, scratch. Nothing else is set. */
struct call *call_visit_cell(struct call_visit *visit);
/* Begin: the keys that have something in state `slot` now. */
int call_visit_begin(struct call_visit *visit, uint32_t slot);
/* The next keys, [0, count) of the cell: answers count, 0 at the end. */
int call_visit_next(struct call_visit *visit);
/* </cdef> */
