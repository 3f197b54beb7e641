/*
 * What the parts of the supervisor share: supervisor.c runs the attempts,
 * supervisor_judge.c decides what follows one, supervisor_watch.c ends one that
 * hangs, supervisor_requests.c answers who asks.
 */
#pragma once

#include "service/attempt.h"
#include "service/control.h"
#include "service/lock.h"
#include "service/progress.h"
#include "service/restart.h"
#include "service/script_copy.h"
#include "service/supervisor.h"

enum phase {
    PHASE_LOADING,    /* the child loads the script */
    PHASE_RUNNING,    /* it was told to run */
    PHASE_WAITING,    /* for the time of the next attempt */
    PHASE_ENDED,
};

struct supervisor {
    const struct supervisor_options *options;
    enum phase phase;
    int signals;                         /* a signalfd */
    struct script_copy script;
    struct progress progress;
    struct attempt attempt;
    uint32_t number;                     /* of the attempt, from 0 */
    uint64_t started_ms, attempt_started_ms, next_attempt_ms;

    /* Known since the first attempt loaded the script. */
    bool configured;
    char *name;
    uint64_t watchdog_ms;
    struct restart restart;
    struct lock lock;
    struct control *control;
    uint64_t first_checkpoint;           /* the newest one there was when a run began that was told where to begin */

    /* For the next attempt. */
    char *previous_failure, *guarded_step;

    struct job_progress numbers;         /* of the running attempt, as last reported */
    uint64_t records, checkpoints;       /* of the attempts before */
    uint64_t last_checkpoint;
    uint64_t silent_ms;                  /* since the child was heard last, while we could hear */

    uint32_t signals_taken;
    bool stop_asked, cancel_asked;
    bool killed_at_once, killed_by_watchdog;
    uint64_t cancel_deadline_ms;

    int exit_status;
    const char *outcome;                 /* "finished" */
};

/* No more attempts. */
void supervisor_end(struct supervisor *supervisor, int exit_status, const char *outcome);
/* The checkpoint that the next attempt will begin at, as far as can be told from its number; 0: none, or the one it was told to. */
uint64_t supervisor_next_checkpoint(const struct supervisor *supervisor);
/* "stop", "stop drain" or "cancel". */
void supervisor_ask_to_end(struct supervisor *supervisor, const char *line);
/* A line of the control protocol: a struct control_handler's request(). */
void supervisor_request(void *self, uint64_t client, const char *line);
/* The reply to those who wait for the end. */
void supervisor_tell_end(struct supervisor *supervisor);

/* The attempt's process has ended, and all that it said is known. */
void supervisor_judge(struct supervisor *supervisor);
/* The longest callback of the running attempt, as it was reported. */
void supervisor_watch_callback(struct supervisor *supervisor, const char *step, uint64_t callback_ms);
/* Silence and overdue cancels. */
void supervisor_watch(struct supervisor *supervisor);
