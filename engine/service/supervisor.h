/*
 * `moontide run`: a small process that starts the engine in a child, as often
 * as the restart strategy allows, and that owns what outlives an attempt: the
 * data directory's lock, the control socket, the terminal, the signals.
 *
 * It never loads Lua and never starts a thread: so every attempt is a clean
 * fork, and it cannot fail by what the job does.
 *
 * SIGINT, SIGTERM and SIGHUP stop the job with a last checkpoint, a second one
 * ends it at once.
 *
 * Thread   the process's only one.
 */
#pragma once

#include "script/job.h"

/* Exit statuses of every command. */
enum {
    EXIT_GOOD = 0,      /* of a job: finished, or stopped as asked */
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,     /* wrong usage, or the script does not load */
    EXIT_REFUSED = 3,   /* a restore; nothing was changed */
};

struct supervisor_options {
    struct job_arguments arguments;
    bool progress;               /* a progress line, if there is a terminal */
};

/* Runs the job to its end and answers the exit status. What went wrong has been said on stderr. */
int supervisor_run(const struct supervisor_options *options);
