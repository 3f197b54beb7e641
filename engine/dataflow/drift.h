/*
 * Sources that run ahead of others wait (max_drift): the assigners of a job that ask
 * for it are one group (time/alignment.h), each with its own limit, and a source is not
 * polled while all that stand behind it are too far ahead. All: else two behind one
 * source would wait for each other.
 *
 * An assigner holds back the sources whose records reach it without an exchange.
 * Barriers and ends pass a source that waits. By hand there are no sources.
 *
 * Owner    the dataflow: drift_new(), drift_free().
 * Thread   drift_new(), drift_free(): the one that builds. Others: each worker for its own steps.
 */
#pragma once

#include "dataflow/worker_internal.h"

/* <cdef> */
/* Ask for it: `step` has watermarks (plan_set_watermarks). Milliseconds. */
int drift_set_max(struct plan *plan, int step, double max_drift);
/* </cdef> */

/* NULL: no step asks for it. */
struct drift *drift_new(const struct plan *plan);
void drift_free(struct drift *drift);

/* How far the assigner `op` has come; nothing if it is in no group. */
void drift_publish(const struct operator *op, int64_t watermark);
/* It is idle or ended, and counts no more until it publishes. */
void drift_leave(const struct operator *op);
/* Is the assigner too far ahead? Its clock stands then. */
bool drift_is_ahead(const struct operator *op);
/* Must the source wait? */
bool drift_holds_back(const struct operator *source);
