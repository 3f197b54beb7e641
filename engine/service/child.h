/*
 * The engine's process: loads the job, waits until the supervisor has the data
 * directory, runs one attempt, says how it ended, and ends.
 *
 * Thread   child_run() on the only thread of a freshly forked process. A thread
 *          of its own answers requests and reports while the job runs.
 */
#pragma once

#include "script/job.h"

#include <sys/types.h>

struct child_plan {
    const struct job_arguments *arguments;
    uint32_t attempt;                /* from 0 */
    const char *previous_failure;    /* or NULL */
    int wire;                        /* to the supervisor */
    pid_t supervisor;
    bool buffer_lines;               /* stdout leads to a terminal by way of the supervisor */
};

_Noreturn void child_run(const struct child_plan *plan);
