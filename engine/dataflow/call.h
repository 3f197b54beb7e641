/*
 * The cell through which C asks for work to be done in Lua: one per step and
 * worker, at an address that Lua is told once. C fills it, the worker's loop in
 * Lua sees in it what to do, and worker_next() takes the results from it.
 *
 * C never enters Lua, and no function below does: every request goes out as the
 * return value of worker_next().
 *
 * Thread   the worker.
 */
#pragma once

#include "codec/batch.h"
#include "state/keyed_state.h"

/* <cdef> */
enum call_request {
    CALL_BATCH = 1,     /* handle records [index, count) */
    CALL_POLL = 2,      /* a source written in Lua: emit some records, `count` at most if it can be chosen; answer status SOURCE_* */
    CALL_OPEN = 3,      /* `blob`: what the step saved, if it is restored; a source may answer SOURCE_END */
    CALL_CLOSE = 4,
    CALL_SNAPSHOT = 5,  /* write what is to be saved into `blob` */
    CALL_COMMIT = 6,    /* checkpoint `checkpoint` has completed */
    CALL_TIMERS = 7,    /* fire timers [index, count) of `domain`: see call_take_timer() */
    CALL_GIVE_UP = 8,   /* of a sink: what it prepared for checkpoints above `checkpoint` is in none. See worker.lua, not worker.c */
};

struct call {
    int32_t request;
    int32_t status;               /* of the request, set by Lua: 0, SOURCE_*, negative */
    int32_t index;                /* the record at hand: it stays here when user code throws */
    int32_t count;
    struct cell *values;
    int64_t *times;
    char *bytes;
    struct batch_key *keys;
    struct entry **entries;       /* of a keyed step */
    struct keyed_state *state;
    struct keyed_state_view *view;
    struct batch *out[16];        /* by port: 0 is the main output */
    int32_t stage;                /* which function of a fused step runs: tells whose error it is */
    bool pass_input;              /* the step only sets keys: its input goes on as it is */
    int32_t batch_serial;         /* rises with each batch */
    uint32_t subtask;
    uint32_t parallelism;
    uint32_t step;
    uint64_t checkpoint;
    int64_t wait_ms;
    bool final;                   /* of CALL_SNAPSHOT: nothing is written after it */
    int32_t input;                /* of CALL_BATCH: the input of a step of two (0 or 1) */
    int32_t domain;               /* of CALL_TIMERS: enum time_domain */
    int64_t *timer_times;         /* of CALL_TIMERS; `times` are those that output gets (S7) */
    int64_t watermark;            /* the step's current one */
    int64_t *watermarks;          /* of a step that answers time stamps: by record, TIME_NONE or a watermark */
    int64_t out_time;             /* of a window step: the time of what a window emits (S31) */
    struct call_windows *windows; /* of a window step: dataflow/call_windows.h */
    struct arena scratch;         /* of a value on its way into state, or a key */
    struct cell cell;             /* the same: offsets count from scratch.bytes */
    struct slice blob_in;         /* one blob per old subtask: msgpack array, or empty */
    void *step_instance;
};

/* The batch of this port is full: the next one is in call->out[port] after this. Between requests it stays full. */
void call_roll(struct call *call, int port);
/* Record `record` of the input goes on as it is, by the main output. */
void call_pass(struct call *call, int32_t record);
/* Remember where the outputs stand; and go back there (records that were emitted since are dropped). */
void call_mark(struct call *call);
void call_rollback(struct call *call);
/* Bytes that CALL_SNAPSHOT saves. */
void call_save(struct call *call, const char *bytes, size_t count);
/* The key of record `record` of the output, or of the input if that is passed on. `bytes` are not in that batch's arena. */
int call_key(struct call *call, int32_t record, const struct cell *cell, const char *bytes);
int call_key_number(struct call *call, int32_t record, double number);
int call_key_string(struct call *call, int32_t record, const char *text, size_t bytes);
/* Record `record` of an input that is passed on is left out. */
void call_drop(struct call *call, int32_t record);
/* Timers of the current key. Negative: failed. */
int call_register_timer(struct call *call, int domain, int64_t time);
int call_delete_timer(struct call *call, int domain, int64_t time);
/* Before the callback of timer `index`: enum timer_take (time/timers.h), or negative. */
int call_take_timer(struct call *call, int32_t index);
int64_t call_processing_time(struct call *call);
/* The version that the values of keyed state `slot` had in the checkpoint that was restored; 0: it was not in it. */
uint32_t call_restored_version(const struct call *call, uint32_t slot);
/* The record came too late and goes nowhere: late records without an output of their own are counted (S25). */
void call_count_late(struct call *call);
/* Ask for a checkpoint (ctx:request_checkpoint). */
void call_request_checkpoint(struct call *call);
/* </cdef> */
