/*
 * One worker: an instance (subtask) of every step of the plan, run by one thread.
 *
 * It is a machine that is driven from outside: worker_next() does everything that
 * is C, and answers the number of a step whose work is to be done in Lua, with the
 * request in that step's call cell; the driver does it and calls worker_next()
 * again. So a worker runs the same under its thread and, by hand, in the harness.
 *
 * Work is a stack: what a step emits is done before its next input, depth first.
 * Between two inputs the worker looks at checkpoints, sweeps state, and chooses a
 * chain that has input and whose outputs have room; chains further downstream first,
 * so that two workers whose rings to each other are full still drain.
 *
 * Thread   the one that drives it; worker_wake() any.
 */
#pragma once

#include "dataflow/call.h"
#include "dataflow/checkpointing.h"
#include "dataflow/plan.h"
#include "dataflow/ring.h"

/* <cdef> */
enum worker_answer { WORKER_DONE = -1, WORKER_FAILED = -2, WORKER_IDLE = -3 /* only if it is driven by hand */ };
struct worker;
/* Do what is to do in C. Waits if there is nothing, unless driven by hand. Answers a step or enum worker_answer. */
int worker_next(struct worker *worker);
/* The call cell of a step of this worker. */
struct call *worker_call(struct worker *worker, int step);
/* How many workers its job has. */
uint32_t worker_parallelism(const struct worker *worker);
/* As plan_set_text() was told, "" if it was not; it lives as long as the plan. */
const char *worker_plan_text(const struct worker *worker);
/* User code failed for good, with the whole report as text and a line that tells the place. */
void worker_fail(struct worker *worker, const char *report, const char *place);
/* For the watchdog: a callback of this step runs, though the worker has ended; -1: none does any more. */
void worker_enter(struct worker *worker, int step);
/* A record was dropped by on_error = "skip", or sent to the dead letters: counted, and the first ones are logged, under the name of the function's step. */
void worker_count_error(struct worker *worker, int step, const char *name, const char *error);
/* </cdef> */

struct dataflow;   /* what the workers of a process share */

struct dataflow *dataflow_new(const struct plan *plan, struct checkpointing *checkpointing, const char *data, uint64_t run_id);
void dataflow_free(struct dataflow *dataflow);
/* Open sources and recover sinks, once, before the workers. `older`: see sink.h. */
int dataflow_prepare(struct dataflow *dataflow, bool older);
/* What its workers tell about time. */
struct survey *dataflow_survey(struct dataflow *dataflow);
/* Another thread failed or wants all to look up. */
void dataflow_wake_all(struct dataflow *dataflow);
/* The report of the first failure of any worker, NULL if none; and its place. */
const char *dataflow_failure(struct dataflow *dataflow, const char **place);
/* The same for failures outside a worker. */
void dataflow_fail(struct dataflow *dataflow, const char *report, const char *place);

struct worker *worker_new(struct dataflow *dataflow, uint32_t subtask, bool by_hand);
void worker_free(struct worker *worker);
void worker_wake(struct worker *worker);

struct step_counters { uint64_t records_in, records_out, errors, late, state_keys, state_bytes; };
void worker_step_counters(const struct worker *worker, uint32_t step, struct step_counters *counters);
/*
 * The step whose Lua work runs now, or -1; `progress` changes while callbacks return. A step
 * whose timers go in circles (S2c) runs all the time, without progress.
 */
int worker_running(const struct worker *worker, uint64_t *progress);
/* Is it this step's Lua work that runs at this moment? */
bool worker_runs(const struct worker *worker, int step);
struct worker *dataflow_worker(struct dataflow *dataflow, uint32_t subtask);
