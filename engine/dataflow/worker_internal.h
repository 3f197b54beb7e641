/*
 * The inside of worker and dataflow, for worker.c, chain.c, dataflow.c and the
 * operators. Nobody else includes it.
 *
 * Thread   a worker's fields: its own thread, but for the atomics.
 */
#pragma once

#include "dataflow/aligner.h"
#include "dataflow/marks.h"
#include "dataflow/portion.h"
#include "dataflow/survey.h"
#include "time/valve.h"

#include <pthread.h>

struct waker {
    pthread_mutex_t lock;
    pthread_cond_t condition;
    atomic_bool sleeping;   /* announced */
    bool woken;
};

enum channel_kind { CHANNEL_SOURCE, CHANNEL_RING };

struct chain_channel {
    enum channel_kind kind;
    struct operator *op;        /* the source, or the exchange whose receiving half this is */
    struct ring *ring;
    uint32_t from;              /* worker at the other end of the ring */
    uint32_t number;            /* of the ring among those of its step into this worker */
    bool started;               /* its time has been told: RING_START */
    bool ended;
};

struct chain {
    uint32_t id;
    struct chain_channel *channels;
    uint32_t channel_count, next_channel;
    struct operator **ops;      /* upstream first; an exchange by its sending half */
    uint32_t op_count;
    struct aligner *aligner;
    bool pressed;               /* its outputs had no room when it was asked for input last */
    bool has_ring, has_source;
    bool *related;              /* by number: chains upstream of it, downstream of it, and itself */
    uint32_t passed;            /* how often others that are not related had input since its rings were asked */
    bool starved;               /* another chain had input, so it was not asked: its sources, if it has any */
    bool fed;                   /* it had input when it was asked last */
    struct portion portion;     /* how many records it takes in at once */
    uint64_t steps;             /* how far its sources are: see pace.h */
    uint64_t turns;             /* how often it was asked, and had room: chains downstream of it come first */
    bool started;               /* all its inputs have, and those behind it were told: until then it takes no record */
    bool ended, halted;         /* halted: behind a final barrier */
    bool ending;
    uint64_t injected;          /* the newest barrier that its sources sent */
    uint64_t acknowledged;      /* the newest checkpoint whose snapshot was begun */
    struct checkpoint_ack *ack; /* waiting for state to be swept */
};

enum work_kind {
    WORK_BATCH, WORK_POLL, WORK_OPEN, WORK_SNAPSHOT, WORK_SNAPSHOT_DONE, WORK_COMMIT, WORK_CLOSE, WORK_END, WORK_END_DONE,
    WORK_MARK,      /* a mark has come by `input` and `channel` */
    WORK_TIME,      /* the step's own time moves */
    WORK_FORWARD,   /* the steps behind are told */
    WORK_TIMERS,    /* timers of domain `mark` that are due at `number` */
};

struct work {
    enum work_kind kind;
    struct operator *op;
    struct chain *chain;
    struct batch *batch;
    uint64_t number;
    uint32_t input, channel;     /* where a batch or mark has come from */
    uint32_t mark;
};

enum worker_phase { WORKER_NEW, WORKER_RUNNING, WORKER_CLOSING, WORKER_CLOSED };

struct worker {
    struct dataflow *dataflow;
    uint32_t subtask;
    bool by_hand;
    enum worker_phase phase;
    struct operator *ops;        /* by step */
    struct chain *chains;        /* in the order in which they are asked for input: downstream first */
    uint32_t chain_count;
    uint32_t next_chain;         /* whose sources are asked next */
    struct work *stack;
    uint32_t stack_count, stack_capacity;
    struct chain *taker;         /* whose input is being worked on: see portion.h; NULL: of none */
    uint64_t worked_ns;          /* when that came to its end, 0: something else has been done since */
    struct operator *calling;    /* its call is being done in Lua */
    atomic_int running_step;
    atomic_int standing_step;    /* its timers go in circles (S2c), -1: none */
    uint64_t committed;          /* the newest checkpoint that sinks were told of */
    uint64_t base_seen;
    uint32_t bases_running;
    bool ended_told, failed, idle_flushed;
    struct worker_split *splits; /* that were read here, by their numbers less one */
    uint32_t split_count, split_capacity;
    uint64_t snapshot_by_hand;   /* see by_hand_snapshot() */
    int64_t clock_by_hand_ms;    /* processing time of a worker that is driven by hand */
    bool clock_moved;            /* by hand, to where it is now; or the steps were just opened by hand */
    struct waker waker;
};

struct dataflow {
    const struct plan *plan;
    struct checkpointing *checkpointing;
    char *data;
    uint64_t run_id;
    struct ring **rings;         /* [step][from * parallelism + to], NULL for steps without rings */
    struct worker **workers;
    struct drift *drift;         /* NULL: no source waits for others */
    struct pace *pace;
    struct survey *survey;
    pthread_mutex_t lock;
    char *failure, *place;
    atomic_bool failed;
};

static inline struct ring *dataflow_ring(struct dataflow *dataflow, uint32_t step, uint32_t from, uint32_t to)
{
    return &dataflow->rings[step][from * dataflow->plan->parallelism + to];
}

void work_push(struct worker *worker, struct work work);
/* Chain steps of a checkpoint or end: see chain.c. */
int chains_new(struct worker *worker);
void chains_free(struct worker *worker);
/* Let barriers that have come by all channels take effect. */
void chain_align(struct worker *worker, struct chain *chain);
/* Nothing comes by this channel any more. */
void chain_channel_end(struct worker *worker, struct chain *chain, uint32_t channel);
/* Take one input of some chain (poll.c): 1 if work was pushed, 0 if there is none, negative on failure. *wait_ns is lowered to when to look again. */
int chains_poll(struct worker *worker, int64_t *wait_ns);
/* Have all that read what it sends taken what it sent? Lets them have more of it, as far as they have room. */
bool chain_has_room(const struct worker *worker, const struct chain *chain);
/* Begin what the coordinator asks for; finish what was swept. */
void chains_checkpoint(struct worker *worker);
void chain_snapshot_done(struct worker *worker, struct chain *chain);
/* Take a snapshot of every chain now, without a barrier in its channels. */
void chains_snapshot(struct worker *worker, uint64_t checkpoint);
void chain_end_done(struct worker *worker, struct chain *chain);
/* An output by hand notes a mark; `kind` is enum by_hand_kind. */
void by_hand_mark(struct operator *op, uint32_t kind, int64_t number);
/* The step has no subtask in this worker: nothing comes to it but marks, and its author's functions are not called. */
static inline bool operator_rests(const struct operator *op)
{
    return op->worker->subtask >= plan_subtasks(op->worker->dataflow->plan, op->step);
}
void source_pause(struct operator *op);
/* Splits that sources of this worker read, numbered from 1: steps behind know them by name (dataflow/splits.c). */
uint32_t worker_split_add(struct worker *worker, const char *step, struct slice name);
/* "" of number 0. */
struct slice worker_split_name(const struct worker *worker, uint32_t number);
/* How many records of a split the step behind would have in the next batch, at most. */
void worker_split_set_room(struct worker *worker, uint32_t number, int32_t room);
int32_t worker_split_room(const struct worker *worker, uint32_t number);
void splits_free(struct worker *worker);
/* The chain of a step; NULL before there are any. */
const struct chain *worker_chain(const struct worker *worker, const struct step *step);
/* Processing time in milliseconds since 1970 UTC. */
int64_t worker_clock_ms(const struct worker *worker);
void waker_init(struct waker *waker);
void waker_deinit(struct waker *waker);
/* Announce that the worker will sleep unless its next look finds work; take that back. */
void waker_announce(struct waker *waker);
void waker_stay_awake(struct waker *waker);
/* Sleep, announced, until woken or the time is over. Announces the next sleep: look for work before it. */
void waker_wait(struct waker *waker, int64_t nanoseconds);
/* Wake it now, or from its next sleep. */
void waker_wake(struct waker *waker);
/* After work was put where it looks: wake it if it announced a sleep. */
void waker_wake_sleeper(struct waker *waker);
/* Split queue of a source: dataflow/source_shared.c */
struct source_shared *source_shared_new(const struct step *step, uint32_t parallelism);
int source_shared_open(struct source_shared *shared, struct restored_blobs restored);
void source_shared_free(struct source_shared *shared);
/* Pending timers of a step, 0 if it has none, or negative. */
int64_t operator_timers_count(const struct operator *op, int domain);
/* Keyed state of a call step, NULL if it has none. */
struct keyed_state *operator_keyed_state(const struct operator *op);
