#include "service/child.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/thread.h"
#include "service/reply.h"
#include "service/wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPORT_MS_MAX 200u
#define REPORT_MS_MIN 10u
#define WAITING_POLL_MS 5u
#define PAUSE_MS_MIN 100u
#define WAITING_MAX 64u

/* A request for a checkpoint that waits until the job runs and then until the checkpoint of this number, or a newer one, has settled. */
struct waiting {
    uint64_t id, number;
    bool asked;
};

struct child {
    const struct child_plan *plan;
    struct job *job;
    struct wire_reader reader;
    struct buffer scratch;
    pthread_t thread;
    int wake;                        /* readable: the job has ended */
    uint64_t report_ms;              /* how often to report */
    uint64_t reported_ms;            /* when the last report was sent */
    uint64_t looked_ms;              /* at the clock */
    uint64_t pause_end_ms, pause_ms; /* when the whole process stood still last, and for how long */
    void (*held)(struct job *job);   /* a request to end that came before the job ran */
    struct waiting waiting[WAITING_MAX];
    uint32_t waiting_count;
};

/*
 * Signals of the terminal go to the whole group, those of a service manager to
 * all processes of the unit: what they mean is the supervisor's to decide. If
 * it is killed, this process must not go on without it.
 */
static void detach_from_signals(pid_t supervisor)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(1);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void append_text(struct buffer *buffer, const char *text)
{
    const char *shown = text == NULL ? "" : text;
    buffer_append(buffer, shown, strlen(shown) + 1);
}

static void send_end(struct child *child, int end, const char *failure, const char *message)
{
    struct wire_end fixed = { end };
    buffer_clear(&child->scratch);
    buffer_append(&child->scratch, &fixed, sizeof fixed);
    append_text(&child->scratch, failure);
    append_text(&child->scratch, message);
    wire_send(child->plan->wire, WIRE_END, 0, buffer_slice(&child->scratch), 0);
}

static void send_config(struct child *child)
{
    struct wire_config fixed;
    memset(&fixed, 0, sizeof fixed);
    fixed.config = *job_config(child->job);
    fixed.has_data = fixed.config.data != NULL;
    buffer_clear(&child->scratch);
    buffer_append(&child->scratch, &fixed, sizeof fixed);
    append_text(&child->scratch, fixed.config.name);
    append_text(&child->scratch, fixed.config.data);
    wire_send(child->plan->wire, WIRE_CONFIG, 0, buffer_slice(&child->scratch), 0);
}

/*
 * A process that was stopped (Ctrl-Z, a debugger) is not a callback that hangs:
 * time during which this thread could not run either is taken off.
 */
static uint64_t callback_time(struct child *child, uint64_t now, uint64_t running_ms)
{
    bool spans_pause = child->pause_ms > 0 && running_ms > now - child->pause_end_ms;
    if (!spans_pause)
        return running_ms;
    return running_ms > child->pause_ms ? running_ms - child->pause_ms : 0;
}

/* The time, by which it is noticed that the process stood still since the last look. */
static uint64_t look_at_clock(struct child *child)
{
    uint64_t now = clock_monotonic_ms();
    if (now - child->looked_ms > 2 * child->report_ms + PAUSE_MS_MIN) {
        child->pause_end_ms = now;
        child->pause_ms = now - child->looked_ms;
    }
    child->looked_ms = now;
    return now;
}

static void send_report(struct child *child)
{
    struct wire_report report;
    memset(&report, 0, sizeof report);
    job_progress(child->job, &report.progress);
    uint64_t running_ms = 0;
    const char *step = job_longest_callback(child->job, &running_ms);
    uint64_t now = look_at_clock(child);
    report.callback_ms = step == NULL ? 0 : callback_time(child, now, running_ms);
    buffer_clear(&child->scratch);
    buffer_append(&child->scratch, &report, sizeof report);
    append_text(&child->scratch, step);
    /* A supervisor that does not read (its terminal is stopped) misses a report, not more. */
    wire_send(child->plan->wire, WIRE_REPORT, 0, buffer_slice(&child->scratch), MSG_DONTWAIT);
    child->reported_ms = now;
}

static void send_reply(struct child *child, uint64_t id)
{
    wire_send(child->plan->wire, WIRE_REPLY, id, buffer_slice(&child->scratch), 0);
}

static void answer_status(struct child *child, uint64_t id)
{
    buffer_clear(&child->scratch);
    buffer_append_format(&child->scratch, "{\"ok\":true,\"status\":");
    job_status(child->job, &child->scratch);
    buffer_append_byte(&child->scratch, '}');
    send_reply(child, id);
}

static void answer_why(struct child *child, uint64_t id)
{
    buffer_clear(&child->scratch);
    buffer_append_format(&child->scratch, "{\"ok\":true,\"time\":");
    job_why(child->job, &child->scratch);
    buffer_append_byte(&child->scratch, '}');
    send_reply(child, id);
}

static void answer_error(struct child *child, uint64_t id, const char *text)
{
    buffer_clear(&child->scratch);
    reply_error(&child->scratch, "%s", text);
    send_reply(child, id);
}

static void begin_checkpoint(struct child *child, uint64_t id)
{
    if (child->waiting_count == WAITING_MAX) {
        answer_error(child, id, "too many requests for checkpoints wait already");
        return;
    }
    child->waiting[child->waiting_count++] = (struct waiting){ .id = id };
}

static void stop(struct job *job)
{
    job_request_stop(job, false);
}

static void drain(struct job *job)
{
    job_request_stop(job, true);
}

static void answer_request(struct child *child, const struct wire_message *message)
{
    size_t offset = 0;
    const char *line = wire_text(message, &offset);
    if (line == NULL)
        return;
    if (strcmp(line, "status") == 0)
        answer_status(child, message->id);
    else if (strcmp(line, "why") == 0)
        answer_why(child, message->id);
    else if (strcmp(line, "checkpoint") == 0)
        begin_checkpoint(child, message->id);
    else if (strcmp(line, "stop") == 0)
        child->held = stop;
    else if (strcmp(line, "stop drain") == 0)
        child->held = drain;
    else if (strcmp(line, "cancel") == 0)
        child->held = job_request_cancel;
    else
        answer_error(child, message->id, "unknown request");
}

static void answer_checkpoint(struct child *child, const struct waiting *waiting, uint64_t settled, const char *failure)
{
    buffer_clear(&child->scratch);
    if (failure == NULL)
        buffer_append_format(&child->scratch, "{\"ok\":true,\"checkpoint\":%llu}", (unsigned long long)settled);
    else
        reply_error(&child->scratch, "checkpoint %llu failed: %s", (unsigned long long)settled, failure);
    send_reply(child, waiting->id);
}

/* While a job restores it cannot be asked for anything: what was asked then is handed on when it runs. */
static void hand_on(struct child *child)
{
    struct job_progress progress;
    if (child->waiting_count == 0 && child->held == NULL)
        return;
    job_progress(child->job, &progress);
    if (!progress.running)
        return;
    for (uint32_t i = 0; i < child->waiting_count; i++) {
        struct waiting *waiting = &child->waiting[i];
        if (waiting->asked)
            continue;
        waiting->number = job_request_checkpoint(child->job);
        waiting->asked = true;
    }
    if (child->held != NULL)
        child->held(child->job);
    child->held = NULL;
}

static void answer_waiting(struct child *child)
{
    const char *failure = NULL;
    uint64_t settled = child->waiting_count == 0 ? 0 : job_checkpoint_settled(child->job, &failure);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < child->waiting_count; i++) {
        if (child->waiting[i].asked && settled >= child->waiting[i].number)
            answer_checkpoint(child, &child->waiting[i], settled, failure);
        else
            child->waiting[kept++] = child->waiting[i];
    }
    child->waiting_count = kept;
}

static void answer_requests(struct child *child)
{
    struct wire_message message;
    while (wire_next(&child->reader, &message) > 0) {
        if (message.kind == WIRE_REQUEST)
            answer_request(child, &message);
    }
}

static void take_requests(struct child *child)
{
    if (wire_receive(child->plan->wire, &child->reader, MSG_DONTWAIT) <= 0)
        _exit(1); /* no supervisor, no job */
    answer_requests(child);
}

static void *serve(void *argument)
{
    struct child *child = argument;
    struct pollfd wait[2] = { { child->plan->wire, POLLIN, 0 }, { child->wake, POLLIN, 0 } };
    child->looked_ms = clock_monotonic_ms();
    answer_requests(child); /* what came together with the word to begin */
    for (;;) {
        bool waits = child->waiting_count > 0 || child->held != NULL;
        int timeout = (int)(waits ? WAITING_POLL_MS : child->report_ms);
        poll(wait, 2, timeout);
        uint64_t now = look_at_clock(child);
        if (wait[1].revents != 0)
            return NULL;
        if (wait[0].revents != 0)
            take_requests(child);
        hand_on(child);
        answer_waiting(child);
        if (now - child->reported_ms >= child->report_ms)
            send_report(child);
    }
}

/* Waits for the supervisor's word; the data directory, which belongs to the reader. */
static const char *receive_go(struct child *child)
{
    struct wire_message message;
    int status;
    while ((status = wire_next(&child->reader, &message)) == 0) {
        if (wire_receive(child->plan->wire, &child->reader, 0) <= 0)
            _exit(1);
    }
    size_t offset = 0;
    const char *data = status > 0 && message.kind == WIRE_GO ? wire_text(&message, &offset) : NULL;
    if (data == NULL)
        _exit(1);
    return data;
}

static uint64_t report_interval(uint64_t watchdog_ms)
{
    uint64_t quarter = watchdog_ms / 4;
    if (watchdog_ms == 0 || quarter > REPORT_MS_MAX)
        return REPORT_MS_MAX;
    return quarter < REPORT_MS_MIN ? REPORT_MS_MIN : quarter;
}

static void finish(struct child *child, enum job_end end)
{
    answer_waiting(child);
    for (uint32_t i = 0; i < child->waiting_count; i++)
        answer_error(child, child->waiting[i].id, "the job ended before it took a checkpoint");
    send_report(child);
    send_end(child, end, job_failure(child->job), "");
}

static void run(struct child *child)
{
    char *data = strdup(receive_go(child));
    child->report_ms = report_interval(job_config(child->job)->watchdog_ms);
    child->wake = eventfd(0, EFD_CLOEXEC);
    int status = data == NULL || child->wake < 0 ? error_set_errno(ERROR_MEMORY, "cannot answer requests")
                                                 : thread_start(&child->thread, "control", serve, child);
    if (status < 0) {
        log_error("%s", error_message());
        send_end(child, JOB_FAILED, "", "");
        return;
    }
    enum job_end end = job_run(child->job, data, child->plan->attempt, child->plan->previous_failure);
    uint64_t one = 1;
    if (write(child->wake, &one, sizeof one) != sizeof one)
        abort(); /* an eventfd takes a number */
    pthread_join(child->thread, NULL);
    finish(child, end);
    free(data);
}

_Noreturn void child_run(const struct child_plan *plan)
{
    detach_from_signals(plan->supervisor);
    if (plan->buffer_lines)
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    struct child child = { .plan = plan };
    if (job_load(plan->arguments, &child.job) < 0) {
        send_end(&child, WIRE_END_NOT_LOADED, "", error_message());
    } else {
        send_config(&child);
        run(&child);
        job_free(child.job);
    }
    fflush(NULL);
    /* Without exit handlers: those of the libraries above are for a process that began with them. */
    _exit(0);
}
