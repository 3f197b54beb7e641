#include "service/supervisor_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "service/reply.h"

#include <signal.h>

#define ANSWER_LIMIT_MS 5000u
/* How long a cancelled job may take to give up by itself. */
#define CANCEL_LIMIT_MS 5000u

void supervisor_ask_to_end(struct supervisor *supervisor, const char *line)
{
    supervisor->stop_asked = true;
    if (strcmp(line, "cancel") == 0) {
        supervisor->cancel_asked = true;
        supervisor->cancel_deadline_ms = clock_monotonic_ms() + CANCEL_LIMIT_MS;
    }
    switch (supervisor->phase) {
    case PHASE_LOADING:
        attempt_kill(&supervisor->attempt);
        break;
    case PHASE_RUNNING:
        if (attempt_request(&supervisor->attempt, 0, line) < 0)
            progress_message(&supervisor->progress, "%s: cannot ask it to stop: %s", supervisor->name, error_message());
        break;
    case PHASE_WAITING:
        supervisor_end(supervisor, 0, "stopped");
        break;
    case PHASE_ENDED:
        break;
    }
}

static const char *phase_name(enum phase phase)
{
    return phase == PHASE_WAITING ? "restarting" : phase == PHASE_ENDED ? "ended" : "starting";
}

static void reply_state(struct supervisor *supervisor, uint64_t client)
{
    struct buffer json = { 0 };
    uint64_t now = clock_monotonic_ms();
    uint64_t wait_ms = supervisor->next_attempt_ms > now ? supervisor->next_attempt_ms - now : 0;
    bool waits = supervisor->phase == PHASE_WAITING;
    buffer_append_format(&json, "{\"ok\":true,\"status\":{\"job\":");
    reply_append_text(&json, supervisor->name);
    buffer_append_format(&json, ",\"state\":\"%s\",\"attempt\":%u,\"uptime_ms\":%llu", phase_name(supervisor->phase),
                         supervisor->number + (waits ? 2 : 1), (unsigned long long)(now - supervisor->started_ms));
    if (waits)
        buffer_append_format(&json, ",\"next_attempt_ms\":%llu", (unsigned long long)wait_ms);
    buffer_append_format(&json, ",\"last_checkpoint\":%llu}}", (unsigned long long)supervisor->last_checkpoint);
    control_reply(supervisor->control, client, buffer_slice(&json));
    buffer_deinit(&json);
}

static void reply_progress(struct supervisor *supervisor, uint64_t client)
{
    struct buffer json = { 0 };
    const struct job_progress *numbers = &supervisor->numbers;
    buffer_append_format(&json, "{\"ok\":true,\"running\":%s,\"records_in\":%llu,\"records_out\":%llu,\"last_checkpoint\":%llu}",
                         supervisor->phase == PHASE_RUNNING && numbers->running ? "true" : "false",
                         (unsigned long long)numbers->records_in, (unsigned long long)numbers->records_out,
                         (unsigned long long)supervisor->last_checkpoint);
    control_reply(supervisor->control, client, buffer_slice(&json));
    buffer_deinit(&json);
}

/* The reply is the child's. A checkpoint takes as long as it takes. */
static void relay(struct supervisor *supervisor, uint64_t client, const char *line, uint64_t deadline_ms)
{
    if (attempt_request(&supervisor->attempt, client, line) < 0)
        control_reply_error(supervisor->control, client, error_message());
    else
        control_wait(supervisor->control, client, CONTROL_ANSWER, deadline_ms);
}

/* Only a running job can answer. `deadline_ms` 0: none. */
static void relay_if_running(struct supervisor *supervisor, uint64_t client, const char *line, uint64_t deadline_ms)
{
    if (supervisor->phase == PHASE_RUNNING)
        relay(supervisor, client, line, deadline_ms);
    else
        control_reply_error(supervisor->control, client, supervisor->phase == PHASE_WAITING
                            ? "the job waits for its next attempt" : "the job is only starting");
}

void supervisor_request(void *self, uint64_t client, const char *line)
{
    struct supervisor *supervisor = self;
    if (strcmp(line, "status") == 0) {
        if (supervisor->phase == PHASE_RUNNING)
            relay(supervisor, client, line, clock_monotonic_ms() + ANSWER_LIMIT_MS);
        else
            reply_state(supervisor, client);
    } else if (strcmp(line, "progress") == 0) {
        reply_progress(supervisor, client);
    } else if (strcmp(line, "checkpoint") == 0) {
        relay_if_running(supervisor, client, line, 0);
    } else if (strcmp(line, "why") == 0) {
        relay_if_running(supervisor, client, line, clock_monotonic_ms() + ANSWER_LIMIT_MS);
    } else if (strcmp(line, "stop") == 0 || strcmp(line, "stop drain") == 0 || strcmp(line, "cancel") == 0) {
        control_wait(supervisor->control, client, CONTROL_END, 0);
        supervisor_ask_to_end(supervisor, line);
    } else {
        control_reply_error(supervisor->control, client,
                            "unknown request: there are status, why, progress, checkpoint, stop, stop drain, cancel");
    }
}

void supervisor_tell_end(struct supervisor *supervisor)
{
    struct buffer json = { 0 };
    if (supervisor->exit_status == 0) {
        buffer_append_format(&json, "{\"ok\":true,\"job\":");
        reply_append_text(&json, supervisor->name == NULL ? "" : supervisor->name);
        buffer_append_format(&json, ",\"state\":\"%s\",\"checkpoint\":%llu}", supervisor->outcome,
                             (unsigned long long)supervisor->last_checkpoint);
    } else {
        reply_error(&json, "the job did not stop as asked: it %s", supervisor->outcome);
    }
    control_reply_all(supervisor->control, CONTROL_END, buffer_slice(&json));
    buffer_deinit(&json);
    control_flush(supervisor->control, 1000);
}
