/*
 * One attempt of one job, in this process: load the script, restore, run, end.
 *
 * Owner    job_load() allocates, job_free() frees.
 * Thread   job_load, job_run and job_free: the main thread. The requests and
 *          job_status() may come from any thread while job_run() runs.
 * Errors   negative codes with error_message(); job_run() has already logged
 *          the report of user code that failed to stderr (see lua/moontide/runtime/report.lua).
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

enum restart_strategy { RESTART_NONE, RESTART_FIXED_DELAY, RESTART_EXPONENTIAL_DELAY, RESTART_FAILURE_RATE };

struct job_arguments {
    const char *script;             /* path of JOB.lua */
    uint32_t parallelism;           /* 0: as the script says */
    const char *data;               /* NULL: as the script says */
    bool fresh;
    const char *restore;            /* id, tag or path; NULL: the newest */
    bool allow_non_restored_state;
    bool allow_duplicates;
    const char *const *settings;    /* "key=value", NULL at the end: mt.args */
    const char *guarded_step;       /* NULL, or the step that the watchdog ended the last attempt in: it runs without the JIT, with a hook that names its line */
};

/* What the supervisor must know of a loaded job. Texts belong to the job. */
struct job_config {
    const char *name;
    const char *data;               /* as given; NULL: none, a temporary one is to be made */
    enum restart_strategy restart;
    uint64_t restart_initial_ms, restart_max_ms;      /* exponential; fixed and rate use restart_initial_ms as their delay */
    int64_t restart_attempts;                         /* -1: no limit */
    uint64_t restart_failures, restart_within_ms;     /* failure rate */
    uint64_t watchdog_ms;                             /* 0: off */
};

enum job_end {
    JOB_FINISHED = 0,     /* the input is read to its end and committed */
    JOB_STOPPED = 1,      /* as asked, with a last checkpoint (or without: cancel) */
    JOB_FAILED = 2,       /* may be tried again */
    JOB_FAILED_FINALLY = 3, /* user code failed at the same record as in the attempt before: trying again is of no use; or what failed cannot be read again */
    JOB_REFUSED = 4,      /* a restore was refused; nothing was changed */
};

struct job;

int job_load(const struct job_arguments *arguments, struct job **job);
const struct job_config *job_config(const struct job *job);
/*
 * The data directory must exist and be locked by the caller. `attempt` counts from 0;
 * `previous_failure` is what job_failure() answered in the attempt before, or NULL.
 */
enum job_end job_run(struct job *job, const char *data, uint32_t attempt, const char *previous_failure);
/* A line that identifies where the job failed ("step/key/record position"), to tell a failure that comes back; "" if it did not, or not even begin. */
const char *job_failure(const struct job *job);
void job_free(struct job *job);

/* Requests; each answers at once. */
uint64_t job_request_checkpoint(struct job *job);                /* by hand; the number of the one that will have answered it, UINT64_MAX: none will */
void job_request_stop(struct job *job, bool drain);              /* with a last checkpoint */
void job_request_cancel(struct job *job);                        /* now, without one */
/* The number of the newest checkpoint that failed or completed, 0: none; also once job_run() has ended. */
uint64_t job_checkpoint_settled(struct job *job, const char **failure /* NULL if it completed */);
/*
 * Append one JSON object on one line: job, state, attempt, uptime_ms, parallelism,
 * records_in, records_out, checkpoints { completed, failed, last {...} },
 * steps [ { name, kind, subtasks [ {...} ] } ], which in a job with event time also tell
 * of it: late, watermark (ISO 8601, "MIN" or "MAX"), lag_ms, held_by, idle.
 */
void job_status(struct job *job, struct buffer *json);
/* Append { waits, why }: why event time stands still, in a sentence (dataflow/why.h). */
void job_why(struct job *job, struct buffer *json);
/* Counters for the progress line; once job_run() has ended, the last ones. */
struct job_progress {
    uint64_t records_in, records_out, last_checkpoint, last_checkpoint_ms_ago;
    bool running;
    uint64_t checkpoints;   /* completed by this attempt */
    bool has_watermark;
    int64_t watermark;      /* what its steps that act by event time have come to, as last seen */
};
void job_progress(struct job *job, struct job_progress *progress);
/* For the watchdog: the step of the callback that has run longest, and for how long; NULL where none runs. Valid until the next call. */
const char *job_longest_callback(struct job *job, uint64_t *running_ms);
/* The plan as text ("text", "json" or "dot"), appended. */
int job_explain(struct job *job, const char *format, struct buffer *out);
