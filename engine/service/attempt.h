/*
 * The supervisor's end of one attempt: a forked child that runs the engine.
 *
 * Owner    attempt_start() fills the caller's memory, attempt_deinit() frees it
 *          after attempt_reap() has answered.
 * Thread   the supervisor's only thread: it must be the only one, or the fork
 *          would not be a clean one.
 * Errors   negative with error_message().
 */
#pragma once

#include "service/child.h"
#include "service/wire.h"

enum attempt_end {
    ATTEMPT_FINISHED,       /* as enum job_end */
    ATTEMPT_STOPPED,
    ATTEMPT_FAILED,
    ATTEMPT_FAILED_FINALLY,
    ATTEMPT_REFUSED,
    ATTEMPT_NOT_LOADED,
    ATTEMPT_CRASHED,        /* the process ended without a word */
};

struct attempt {
    pid_t pid;              /* 0: none */
    int wire;               /* non-blocking use; -1: none */
    int output[2];          /* what the child writes to stdout and stderr, if it goes through us; else -1 */
    struct wire_reader reader;
    bool ended;             /* the child has said how it ended */
    enum attempt_end end;
    char *failure;          /* its place, as job_failure() */
    char *message;          /* why the script does not load */
    int wait_status;        /* of waitpid() */
};

struct attempt_plan {
    const struct job_arguments *arguments;
    uint32_t attempt;
    const char *previous_failure;
    bool capture[2];                  /* stdout, stderr */
    void (*in_child)(void *self);     /* lets go of what only the supervisor may hold */
    void *self;
};

int attempt_start(struct attempt *attempt, const struct attempt_plan *plan);
void attempt_kill(struct attempt *attempt);
/* As wire_receive(), without waiting. */
int attempt_receive(struct attempt *attempt);
/* The next message, with WIRE_END already noted: 1, 0 for none, negative. */
int attempt_next(struct attempt *attempt, struct wire_message *message);
/* `line` as a request; ERROR_TIMEOUT: the child does not read. */
int attempt_request(struct attempt *attempt, uint64_t id, const char *line);
int attempt_go(struct attempt *attempt, const char *data);
/* Has the process ended? Then all of it is known. */
bool attempt_reap(struct attempt *attempt);
/* The text of a crash: "was ended by signal 11 (Segmentation fault)". */
void attempt_describe_crash(const struct attempt *attempt, char *text, size_t bytes);
void attempt_deinit(struct attempt *attempt);
