/*
 * What keyed steps have in common: the state of their keys and its timers, whoever
 * works on them.
 *
 * Thread   the worker.
 */
#pragma once

#include "dataflow/worker_internal.h"
#include "time/timers.h"

/* The configuration of a step's state, of its keys or of its windows' panes, for this subtask and attempt. */
void operator_state_config(const struct operator *op, bool panes, struct keyed_state_config *config);
/* Timers of both domains, attached to the step's state; nothing if the step has none. */
void operator_timers_open(const struct operator *op, struct keyed_state *state, struct timers *timers[DOMAINS]);
void operator_timers_close(struct timers *timers[DOMAINS]);
/* Push that timers which are due at `now` are to fire. */
void operator_timers_fire(struct operator *op, uint32_t domain, int64_t now);
/* The clock of a step with processing timers: see struct operator_vtab. */
int64_t operator_timers_clock(struct operator *op, struct timers *processing, int64_t now_ms);
/*
 * S18: at the end of its inputs a step's processing timers are dropped. A checkpoint behind the
 * end must not have them: a step that is restored as ended calls nothing back (S18c). Not where
 * the inputs end by a drain: the step is not ended after a restore, and its state is there.
 */
int operator_timers_end(const struct operator *op);
