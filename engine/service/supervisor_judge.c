/* What is done when an attempt has ended: the end of the run, or another attempt after a while. */
#include "service/supervisor_internal.h"

#include "base/clock.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Nobody reads what the job prints: `moontide run job.lua | head`, or `>&-`. Trying again would not help. */
static bool reader_has_gone(void)
{
    struct pollfd out = { STDOUT_FILENO, 0, 0 };
    bool closed = (fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY;
    return closed || (poll(&out, 1, 0) == 1 && (out.revents & POLLERR));
}

/* A library below may end the process where it meets a full disk, instead of telling (RocksDB's assertions do). */
static const char *likely_reason(const struct supervisor *supervisor)
{
    struct statvfs space;
    const char *directory = supervisor->lock.directory;
    bool full = directory != NULL && statvfs(directory, &space) == 0 && space.f_bavail * space.f_frsize < 65536;
    return full ? ": No space left on device, below its data directory" : "";
}

/* The child has reported its own failures; of a crash it could not. */
static void say_crash(struct supervisor *supervisor)
{
    if (supervisor->attempt.end != ATTEMPT_CRASHED || supervisor->killed_by_watchdog || reader_has_gone())
        return;
    char crash[200];
    attempt_describe_crash(&supervisor->attempt, crash, sizeof crash);
    progress_message(&supervisor->progress, "%s: the process of attempt %u %s%s", supervisor->name == NULL ? "moontide" : supervisor->name,
                     supervisor->number + 1, crash, likely_reason(supervisor));
}

/* It failed before it ran, at its first try: its options, its data directory. That is for somebody to put right. */
static bool could_not_begin(const struct supervisor *supervisor)
{
    const struct attempt *attempt = &supervisor->attempt;
    return supervisor->number == 0 && attempt->end == ATTEMPT_FAILED && (attempt->failure == NULL || *attempt->failure == 0);
}

static void say_next(struct supervisor *supervisor, uint64_t delay_ms)
{
    struct buffer text = { 0 };
    text_append_duration(&text, delay_ms);
    uint64_t checkpoint = supervisor_next_checkpoint(supervisor);
    if (checkpoint > 0)
        buffer_append_format(&text, ", from checkpoint %llu", (unsigned long long)checkpoint);
    progress_message(&supervisor->progress, "%s: attempt %u in %.*s", supervisor->name, supervisor->number + 2, (int)text.bytes, text.data);
    buffer_deinit(&text);
}

static void keep_for_next(struct supervisor *supervisor, uint64_t ran_ms)
{
    struct attempt *attempt = &supervisor->attempt;
    free(supervisor->previous_failure);
    bool failed_somewhere = attempt->failure != NULL && *attempt->failure != 0;
    supervisor->previous_failure = failed_somewhere ? attempt->failure : NULL;
    if (failed_somewhere)
        attempt->failure = NULL;
    if (!supervisor->killed_by_watchdog && restart_ran_well(&supervisor->restart, ran_ms)) {
        free(supervisor->guarded_step);
        supervisor->guarded_step = NULL;
    }
}

static void fail_attempt(struct supervisor *supervisor, enum phase phase)
{
    uint64_t now = clock_monotonic_ms(), ran_ms = now - supervisor->attempt_started_ms, delay_ms = 0;
    bool ended_as_asked = supervisor->cancel_asked || (supervisor->stop_asked && phase == PHASE_LOADING);
    if (supervisor->killed_at_once) {
        supervisor_end(supervisor, EXIT_FAILED, "stopped at once");
    } else if (ended_as_asked) {
        supervisor_end(supervisor, EXIT_GOOD, "stopped");
    } else {
        say_crash(supervisor);
        bool again = supervisor->configured && !supervisor->stop_asked && !could_not_begin(supervisor) && !reader_has_gone()
            && restart_after_failure(&supervisor->restart, now, ran_ms, &delay_ms);
        if (!again) {
            supervisor_end(supervisor, EXIT_FAILED, "failed");
            return;
        }
        say_next(supervisor, delay_ms);
        keep_for_next(supervisor, ran_ms);
        supervisor->next_attempt_ms = now + delay_ms;
        supervisor->phase = PHASE_WAITING;
    }
}

void supervisor_judge(struct supervisor *supervisor)
{
    enum phase phase = supervisor->phase;
    const struct attempt *attempt = &supervisor->attempt;
    if (phase == PHASE_ENDED)
        return; /* judged already: it could not be configured */
    switch (attempt->end) {
    case ATTEMPT_FINISHED:
        supervisor_end(supervisor, EXIT_GOOD, "finished");
        break;
    case ATTEMPT_STOPPED:
        supervisor_end(supervisor, EXIT_GOOD, "stopped");
        break;
    case ATTEMPT_FAILED_FINALLY:
        supervisor_end(supervisor, EXIT_FAILED, "failed");
        break;
    case ATTEMPT_REFUSED:
        supervisor_end(supervisor, EXIT_REFUSED, "was refused its restore");
        break;
    case ATTEMPT_NOT_LOADED:
        progress_message(&supervisor->progress, "moontide: %s", attempt->message == NULL ? "" : attempt->message);
        supervisor_end(supervisor, EXIT_USAGE, "did not load");
        break;
    case ATTEMPT_FAILED:
    case ATTEMPT_CRASHED:
        fail_attempt(supervisor, phase);
        break;
    }
}
