/*
 * The inside of a step whose work is in Lua, for call.c (records) and
 * call_timers.c (timers). Nobody else includes it.
 */
#pragma once

#include "dataflow/call_windows.h"
#include "dataflow/keyed.h"
#include "dataflow/operators/assign.h"
#include "time/timers.h"

struct call_step {
    struct keyed_state *state;
    struct timers *timers[DOMAINS];            /* NULL: the step has none */
    struct batch *run;                         /* timers that are firing */
    int64_t loop_time;                         /* how far their loop has come; INT64_MIN: there is none */
    uint64_t loop_again;                       /* timers that it registered for times that it has come to */
    struct assign *assign;                     /* of a step that answers time stamps, else NULL */
    struct window_step *windows;               /* NULL: no window step; see call_windows.c */
    int64_t *no_times;                         /* BATCH_RECORDS_MAX times TIME_NONE */
    struct entry *entries[BATCH_RECORDS_MAX];
    struct buffer blobs;                       /* restored, as a msgpack list of strings */
    bool dropped;                              /* some records of an input that is passed on */
    struct { int32_t count; uint32_t full; size_t used; } marks[PLAN_PORTS_MAX];
};

static inline struct call_step *call_step_of(const struct call *call)
{
    return ((struct operator *)call->step_instance)->self;
}

/* Ask for the work; the answer of a function of the table. */
int call_request(struct operator *op, int kind);
/* The entries of the keys at hand into `entries`. */
int call_keys_resolve(struct operator *op, const struct batch *batch);
/* The outputs as the request finds them. */
void call_outputs_open(struct operator *op);

/* call_timers.c */
void call_timers_open(struct operator *op);
void call_timers_close(struct operator *op);
int call_time(struct operator *op, uint32_t mark, int64_t number);
/* A callback has registered a timer. */
void call_timer_registered(struct call *call, int domain, int64_t time);
int call_timers(struct operator *op, uint32_t domain, int64_t now);
/* call_windows.c: compose the panes of records from `from` on; answers behind which record, or negative. */
int call_windows_open(struct operator *op);
void call_windows_close(struct operator *op);
int call_windows_compose(struct operator *op, int32_t from, int32_t count);
int call_windows_compose_run(struct operator *op, struct timers *timers, const struct batch *run);
struct timers *call_timers_of(const struct operator *op, int domain);
int64_t call_clock(struct operator *op, int64_t now_ms);
