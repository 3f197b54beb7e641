/*
 * A sink, behind a table of functions. One sink object per subtask.
 *
 * Exactly once takes two phases (S42): sink_prepare at the barrier makes all that was
 * written so far durable and answers a *committable*, bytes that the checkpoint keeps;
 * commit, after the checkpoint has completed, makes it visible. Commit may be called
 * for a later checkpoint only (earlier ones are included), may be lost, and may be
 * repeated. After a crash `recover` is called once per step, before any subtask opens,
 * with the committables of the restored checkpoint: it commits all of them and
 * withdraws everything newer.
 *
 * Thread   a sink belongs to its subtask's thread; recover runs alone.
 */
#pragma once

#include "base/buffer.h"
#include "base/options.h"
#include "codec/batch.h"
#include "codec/format.h"

/* <cdef> */
struct sink;

struct sink_context {
    const char *step_name;   /* unique in the job */
    const char *data;        /* the job's data directory */
    uint64_t run_id;         /* a new one for every attempt */
    uint32_t subtask;
    uint32_t parallelism;
};

/* How a checkpoint's prepare differs from an ordinary one. */
enum prepare_kind {
    PREPARE_CHECKPOINT = 0, /* go on after it */
    PREPARE_FINAL = 1,      /* stop or end of input: nothing is written after it; close (roll) what is open */
};

enum sink_guarantee { SINK_AT_LEAST_ONCE, SINK_EXACTLY_ONCE };

struct sink_vtab {
    const char *name;
    const char *help;
    const struct option_spec *options;
    bool has_format;
    enum sink_guarantee guarantee;

    /*
     * Once per step and attempt, before any open(). `count` committables of the checkpoint that is restored, one
     * per old subtask; none where the job starts without one. `older` is true where it is not the newest one that was
     * committed: what later ones published must be withdrawn, or ERROR_REFUSED. May be NULL.
     */
    int (*recover)(const struct options *options, const struct format_vtab *format, const struct sink_context *context,
                   const struct slice *committables, uint32_t count, bool older);
    int (*open)(struct sink **sink, const struct options *options, const struct format_vtab *format, const struct sink_context *context);
    /*
     * Take records [from, to) of a batch. On a record that cannot be written: negative and *failed its index; those before it are taken.
     * Where no record is at fault (a full disk): negative and *failed -1; none is taken, so the same call may be tried again.
     */
    int (*write)(struct sink *sink, const struct batch *batch, int32_t from, int32_t to, int32_t *failed);
    /* The input pauses: pass on what a reader would want to see now. May be NULL. */
    int (*flush)(struct sink *sink);
    /* May be NULL: then flush is called at the barrier, and the committable is empty. */
    int (*prepare)(struct sink *sink, uint64_t checkpoint, enum prepare_kind kind, struct buffer *committable);
    int (*commit)(struct sink *sink, uint64_t checkpoint);
    void (*close)(struct sink *sink);   /* without a prepare before it: what is not committed is left for recover() */
    void (*counts)(struct sink *sink, uint64_t *records, uint64_t *bytes); /* may be NULL */
};
/* </cdef> */
