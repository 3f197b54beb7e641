/*
 * What the two halves of the supervisor share: supervisor.c runs the attempts,
 * supervisor_requests.c answers who asks about them.
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
/* "stop", "stop drain" or "cancel". */
void supervisor_ask_to_end(struct supervisor *supervisor, const char *line);
/* A line of the control protocol: a struct control_handler's request(). */
void supervisor_request(void *self, uint64_t client, const char *line);
/* The reply to those who wait for the end. */
void supervisor_tell_end(struct supervisor *supervisor);
