/*
 * The ends of a worker that is driven by hand (moontide.testing): inputs whose
 * channels a test pushes to, outputs that keep what they get, marks included.
 * Between them the worker is the one that runs jobs: its alignment, its ends, its
 * operators.
 *
 * Owner    a pushed batch belongs to the channel; by_hand_take() hands the batch
 *          of an item to the caller, who drops it.
 * Thread   the one that drives the worker.
 */
#pragma once

#include "dataflow/worker.h"

/* <cdef> */
enum by_hand_kind {
    BY_HAND_BATCH = 1, BY_HAND_BARRIER = 2, BY_HAND_CANCEL = 3, BY_HAND_END = 4, BY_HAND_WATERMARK = 5, BY_HAND_IDLE = 6, BY_HAND_ACTIVE = 7,
};
struct by_hand_item { uint32_t kind; int64_t number /* of a checkpoint; a watermark */; struct batch *batch; };
/* Behind what the channel holds; more than its ring takes waits in a list. ERROR_STATE once it has ended. */
int by_hand_push(struct worker *worker, int step, uint32_t channel, struct by_hand_item item);
/* What waits goes into the rings, as far as they have room: true if something went. */
bool by_hand_feed(struct worker *worker);
/* Held back by alignment. */
bool by_hand_blocked(const struct worker *worker, int step, uint32_t channel);
/* Take the oldest item of an output; false if there is none. */
bool by_hand_take(struct worker *worker, int step, struct by_hand_item *item);
/* Begin a snapshot of everything as it stands now; outputs get no mark of it. */
void by_hand_snapshot(struct worker *worker, uint64_t checkpoint);
/* Move the clock of processing time; what is due by it is done when the worker is driven next. */
void by_hand_set_clock(struct worker *worker, int64_t ms);
/* Pending timers of all steps of a domain (enum time_domain), or negative. */
int64_t by_hand_timers(const struct worker *worker, int domain);
/* Records of all steps that came too late and went nowhere. */
int64_t by_hand_late(const struct worker *worker);
/* </cdef> */

/* The keyed state of a step, NULL if it has none. */
struct keyed_state *by_hand_state(const struct worker *worker, uint32_t step);
