/* What the supervisor watches: callbacks that do not return, a process that says nothing, a cancel that does not come through. */
#include "service/supervisor_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>

#define SILENCE_MS_MIN 10000u

static void kill_for_watchdog(struct supervisor *supervisor)
{
    supervisor->killed_by_watchdog = true;
    attempt_kill(&supervisor->attempt);
}

void supervisor_watch_callback(struct supervisor *supervisor, const char *step, uint64_t callback_ms)
{
    uint64_t limit_ms = supervisor->watchdog_ms;
    if (limit_ms == 0 || supervisor->killed_by_watchdog || *step == 0)
        return;
    bool guarded = supervisor->guarded_step != NULL && strcmp(supervisor->guarded_step, step) == 0;
    /* A guarded step ends itself with an error that names its line; it must come first. */
    if (callback_ms <= (guarded ? 2 * limit_ms + 1000 : limit_ms))
        return;
    struct buffer length = { 0 };
    text_append_duration(&length, callback_ms);
    progress_message(&supervisor->progress, "%s: step '%.200s' ran one callback for %.*s: ended by the watchdog; %s", supervisor->name, step,
                     (int)length.bytes, length.data, guarded ? "it was within one call that did not return to Lua, so its line is not known"
                                                             : "the next attempt runs it without the JIT to name the line");
    buffer_deinit(&length);
    char *copy = memory_copy_text(step);
    free(supervisor->guarded_step);
    supervisor->guarded_step = copy;
    kill_for_watchdog(supervisor);
}

/* The thread that reports may be gone while the process lives, or the process may hang after it has said how it ended. */
static void watch_silence(struct supervisor *supervisor)
{
    uint64_t limit_ms = supervisor->watchdog_ms > SILENCE_MS_MIN ? supervisor->watchdog_ms : SILENCE_MS_MIN;
    bool watched = supervisor->phase == PHASE_RUNNING && (supervisor->watchdog_ms > 0 || supervisor->attempt.ended);
    if (!watched || supervisor->silent_ms <= limit_ms || supervisor->killed_by_watchdog)
        return;
    if (!supervisor->attempt.ended)
        progress_message(&supervisor->progress, "%s: its process has been silent for %llu s: ended by the watchdog",
                         supervisor->name, (unsigned long long)(supervisor->silent_ms / 1000));
    kill_for_watchdog(supervisor);
}

static void watch_cancel(struct supervisor *supervisor)
{
    if (supervisor->cancel_deadline_ms == 0 || clock_monotonic_ms() < supervisor->cancel_deadline_ms)
        return;
    supervisor->cancel_deadline_ms = 0;
    attempt_kill(&supervisor->attempt);
}

void supervisor_watch(struct supervisor *supervisor)
{
    watch_silence(supervisor);
    watch_cancel(supervisor);
}
