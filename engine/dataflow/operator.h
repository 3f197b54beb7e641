/*
 * One step's instance on one worker, behind a table of functions. The worker's
 * loop knows only this; each kind of step is a file in operators/.
 *
 * A function answers 0 (done), OPERATOR_CALL (the request in `op->call` is to be
 * done in Lua; `returned` is called after it), or a negative code.
 */
#pragma once

#include "dataflow/worker.h"
#include "time/valve.h"

#define OPERATOR_CALL 1

struct output_item {
    struct batch *batch;             /* NULL: a mark */
    uint32_t mark;                   /* enum mark_kind */
    int64_t number;
};

struct operator_output {
    struct batch *current;           /* being filled, or NULL */
    struct output_item *full;        /* what was emitted before it, in order */
    uint32_t full_count, full_capacity;
};

struct operator;

struct operator_vtab {
    int (*open)(struct operator *op);
    int (*batch)(struct operator *op, struct batch *batch);      /* borrowed: share it to keep it */
    int (*poll)(struct operator *op, bool *more);                /* sources: emit some; *more: ask again at once */
    int (*returned)(struct operator *op, int request);           /* a call is done: op->call->status says how */
    int (*snapshot)(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob);
    int (*committed)(struct operator *op, uint64_t checkpoint);
    int (*end)(struct operator *op);                             /* all inputs have ended */
    /* Time has moved: what the step emits by it precedes the mark. NULL: nothing to do. See dataflow/marks.h. */
    int (*time)(struct operator *op, uint32_t mark, int64_t number);
    /* Timers of enum time_domain that are due at `now` are to fire. */
    int (*timers)(struct operator *op, uint32_t domain, int64_t now);
    /* Looked at between two inputs: what is due by the clock is pushed as work. Answers when to look again, INT64_MAX: never. */
    int64_t (*clock)(struct operator *op, int64_t now_ms);
    int (*flush)(struct operator *op);                           /* the input pauses */
    void (*close)(struct operator *op);
    struct keyed_state *(*state)(const struct operator *op);     /* of its keys; NULL: it has none. Only while op->self is there */
    struct timers *(*timers_of)(const struct operator *op, int domain);   /* may answer NULL */
};

/* Event time of a step: see dataflow/marks.h. */
struct operator_time {
    struct valve *inputs[PLAN_INPUTS_MAX];
    struct valve *both;               /* over the inputs, if there are two */
    int64_t watermark;
    bool idle, ended;
};

struct operator {
    const struct operator_vtab *vtab;
    const struct step *step;
    struct worker *worker;
    struct call *call;                /* of STEP_CALL */
    struct operator_output outputs[PLAN_PORTS_MAX];
    struct batch *input;              /* held while a call is under way */
    struct buffer *blob;              /* of a snapshot under way */
    struct operator_time time;
    uint32_t input_number;            /* of the batch at hand */
    int32_t input_from;               /* its first record that was not done before */
    bool source_ended;
    bool ended;                       /* all of its inputs: its clock stands still */
    int32_t room;                     /* a source: how many records it emits at most when it is asked */
    int64_t wait_ns;                  /* a source that is idle: the pause it asks for, 0: the usual one */
    uint64_t wait_until_ns;           /* 0: it is not waiting */
    atomic_ullong records_in, records_out, errors, late;
    void *self;                       /* the kind's own */
};

extern const struct operator_vtab operator_source, operator_call, operator_key, operator_exchange, operator_sink, operator_assign,
    operator_aggregate, operator_by_hand_input, operator_by_hand_output;

/* The output batch of a port, with room for one record. */
struct batch *operator_output(struct operator *op, int port);
/* The current batch is full: queue it. */
void operator_output_roll(struct operator *op, int port);
/* Queue a batch (whose reference passes) or a mark behind what is there. */
void operator_queue(struct operator *op, int port, struct output_item item);
/* Hand a whole batch on, unchanged (a reference is added). */
void operator_pass(struct operator *op, int port, struct batch *batch);
/* Exchange: push what waits into rings that have room, and what has been collected for a while. */
void exchange_send_on(struct operator *op);
/* Exchange: does any target have more waiting than its ring takes? */
bool exchange_has_room(struct operator *op);
/* Send a mark to all receivers, behind what was sent. */
void exchange_mark(struct operator *op, uint32_t kind, uint64_t number);

/*
 * A record that the step cannot take: `status` and error_message() say why. Where the policy is to fail the job is told, with a
 * report of the record, and `status` answered; else the record is counted, logged, sent to the dead letters.
 */
int operator_bad_record(struct operator *op, const struct batch *batch, int32_t index, int status);
/* Bytes that are no record, where the policy is not to fail. */
int operator_bad_bytes(struct operator *op, const char *where, struct slice bytes, const char *error);

static inline void counter_add(atomic_ullong *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
}
