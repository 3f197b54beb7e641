#include "service/supervisor_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/storage.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS 1000u

void supervisor_end(struct supervisor *supervisor, int exit_status, const char *outcome)
{
    supervisor->phase = PHASE_ENDED;
    supervisor->exit_status = exit_status;
    supervisor->outcome = outcome;
}

/* --- attempts ------------------------------------------------------------- */

static void let_go(void *self)
{
    struct supervisor *supervisor = self;
    control_close(supervisor->control);
    close(supervisor->signals);
}

/* Not from the newest checkpoint, but from one that was named, or from the beginning. */
static bool told_where_to_begin(const struct supervisor *supervisor)
{
    const struct job_arguments *arguments = &supervisor->options->arguments;
    return arguments->fresh || arguments->restore != NULL;
}

/* The highest number of a checkpoint in the data directory; 0: none, or none that can be seen. Opening the storage syncs its folders. */
static uint64_t newest_checkpoint(const char *data)
{
    struct storage *storage;
    if (storage_open(data, &storage) < 0)
        return 0;
    uint64_t newest = storage_newest_id(storage);
    storage_close(storage);
    return newest;
}

uint64_t supervisor_next_checkpoint(const struct supervisor *supervisor)
{
    uint64_t newest = newest_checkpoint(supervisor->lock.directory);
    return newest > supervisor->first_checkpoint || !told_where_to_begin(supervisor) ? newest : 0;
}

/* An author may save the script between two attempts. That is said, and the new text is kept like the first. */
static int look_at_script(struct supervisor *supervisor)
{
    struct script_copy now;
    int status = script_copy_read(&now, supervisor->options->arguments.script);
    if (status == 0 && now.hash != supervisor->script.hash) {
        progress_message(&supervisor->progress, "%s: the script has changed since the attempt before", supervisor->name);
        status = script_copy_keep(&now, supervisor->lock.directory);
        supervisor->script.hash = now.hash;
    }
    script_copy_deinit(&now);
    return status;
}

static void begin_attempt(struct supervisor *supervisor)
{
    struct job_arguments arguments = supervisor->options->arguments;
    arguments.guarded_step = supervisor->guarded_step;
    if (supervisor->number > 0 && told_where_to_begin(supervisor) && supervisor_next_checkpoint(supervisor) > 0) {
        /* This run has checkpoints of its own: it goes on from them, no longer from where it was told to begin. */
        arguments.fresh = false;
        arguments.restore = NULL;
    }
    struct attempt_plan plan = {
        .arguments = &arguments,
        .attempt = supervisor->number,
        .previous_failure = supervisor->previous_failure,
        .capture = { supervisor->progress.enabled && isatty(STDOUT_FILENO), supervisor->progress.enabled },
        .in_child = let_go,
        .self = supervisor,
    };
    supervisor->phase = PHASE_LOADING;
    supervisor->silent_ms = 0;
    supervisor->killed_by_watchdog = false;
    supervisor->numbers = (struct job_progress){ 0 };
    supervisor->attempt_started_ms = clock_monotonic_ms();
    progress_restart(&supervisor->progress, supervisor->attempt_started_ms);
    if (attempt_start(&supervisor->attempt, &plan) < 0) {
        progress_message(&supervisor->progress, "moontide: %s", error_message());
        supervisor_end(supervisor, EXIT_FAILED, "failed");
    }
}

/* The first attempt has loaded the script: what it says holds for all of them. */
static int configure(struct supervisor *supervisor, const struct wire_message *message)
{
    struct wire_config fixed;
    size_t offset = sizeof fixed;
    if (!wire_fixed(message, &fixed, sizeof fixed))
        return error_set(ERROR_CORRUPT, "the job's process does not tell its configuration");
    const char *name = wire_text(message, &offset), *data = wire_text(message, &offset);
    if (name == NULL || data == NULL)
        return error_set(ERROR_CORRUPT, "the job's process does not tell its name");
    supervisor->name = memory_copy_text(name);
    supervisor->watchdog_ms = fixed.config.watchdog_ms;
    supervisor->restart = (struct restart){
        .strategy = (int)fixed.config.restart,
        .delay_ms = fixed.config.restart_initial_ms,
        .delay_max_ms = fixed.config.restart_max_ms,
        .attempts = fixed.config.restart_attempts,
        .failures = fixed.config.restart_failures,
        .within_ms = fixed.config.restart_within_ms,
    };
    int status = lock_acquire(&supervisor->lock, fixed.has_data ? data : NULL);
    if (status == 0)
        status = script_copy_keep(&supervisor->script, supervisor->lock.directory);
    struct control_handler handler = { supervisor_request, supervisor };
    if (status == 0)
        status = control_open(supervisor->lock.directory, &handler, &supervisor->control);
    if (status == 0 && told_where_to_begin(supervisor))
        supervisor->first_checkpoint = newest_checkpoint(supervisor->lock.directory);
    supervisor->configured = status == 0;
    return status;
}

static void take_config(struct supervisor *supervisor, const struct wire_message *message)
{
    int status = supervisor->configured ? look_at_script(supervisor) : configure(supervisor, message);
    if (status == 0)
        status = attempt_go(&supervisor->attempt, supervisor->lock.directory);
    if (status == 0) {
        supervisor->phase = PHASE_RUNNING;
        return;
    }
    progress_message(&supervisor->progress, "moontide: %s", error_message());
    attempt_kill(&supervisor->attempt);
    supervisor_end(supervisor, EXIT_FAILED, "failed");
}

static void take_report(struct supervisor *supervisor, const struct wire_message *message)
{
    struct wire_report report;
    size_t offset = sizeof report;
    const char *step;
    if (!wire_fixed(message, &report, sizeof report) || (step = wire_text(message, &offset)) == NULL)
        return;
    supervisor->numbers = report.progress;
    if (report.progress.last_checkpoint > 0)
        supervisor->last_checkpoint = report.progress.last_checkpoint;
    progress_draw(&supervisor->progress, supervisor->name, &report.progress, clock_monotonic_ms());
    supervisor_watch_callback(supervisor, step, report.callback_ms);
}

/* --- its messages, its end -------------------------------------------------- */

static void take_messages(struct supervisor *supervisor)
{
    struct wire_message message;
    int status;
    while ((status = attempt_next(&supervisor->attempt, &message)) > 0) {
        if (message.kind == WIRE_CONFIG && supervisor->phase == PHASE_LOADING)
            take_config(supervisor, &message);
        else if (message.kind == WIRE_REPORT && supervisor->phase == PHASE_RUNNING)
            take_report(supervisor, &message);
        else if (message.kind == WIRE_REPLY)
            control_reply(supervisor->control, message.id, slice_of(message.data, message.bytes));
    }
    if (status < 0)
        attempt_kill(&supervisor->attempt);
}

/* One piece of what the child printed; false: nothing is there. */
static bool forward(struct supervisor *supervisor, int which)
{
    int *source = &supervisor->attempt.output[which];
    if (*source < 0)
        return false;
    int status = progress_forward(&supervisor->progress, *source, which == 0 ? STDOUT_FILENO : STDERR_FILENO);
    if (status < 0) {
        close(*source);
        *source = -1;
    }
    return status > 0;
}

static void drain(struct supervisor *supervisor)
{
    while (supervisor->attempt.wire >= 0 && attempt_receive(&supervisor->attempt) == 1)
        take_messages(supervisor);
    take_messages(supervisor);
    while (forward(supervisor, 0) || forward(supervisor, 1))
        continue;
}

static void finish_attempt(struct supervisor *supervisor)
{
    drain(supervisor);
    progress_clear(&supervisor->progress);
    supervisor->records += supervisor->numbers.records_in;
    supervisor->checkpoints += supervisor->numbers.checkpoints;
    control_reply_all(supervisor->control, CONTROL_ANSWER,
                      slice_of_text("{\"ok\":false,\"error\":\"the attempt ended before it answered\"}"));
    supervisor_judge(supervisor);
    attempt_deinit(&supervisor->attempt);
}

/* --- the loop ------------------------------------------------------------- */

static void take_stop_signal(struct supervisor *supervisor)
{
    const char *name = supervisor->name == NULL ? "moontide" : supervisor->name;
    if (++supervisor->signals_taken > 1) {
        supervisor->killed_at_once = true;
        attempt_kill(&supervisor->attempt);
        return;
    }
    if (supervisor->phase == PHASE_RUNNING)
        progress_message(&supervisor->progress, "%s: stopping with a last checkpoint; once more to stop at once", name);
    supervisor_ask_to_end(supervisor, "stop");
}

static void take_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo taken;
    while (read(supervisor->signals, &taken, sizeof taken) == sizeof taken) {
        if (taken.ssi_signo != SIGCHLD)
            take_stop_signal(supervisor);
    }
}

static int poll_timeout(const struct supervisor *supervisor)
{
    uint64_t now = clock_monotonic_ms(), until = now + TICK_MS;
    if (supervisor->phase == PHASE_WAITING && supervisor->next_attempt_ms < until)
        until = supervisor->next_attempt_ms;
    if (supervisor->cancel_deadline_ms != 0 && supervisor->cancel_deadline_ms < until)
        until = supervisor->cancel_deadline_ms;
    return until > now ? (int)(until - now) : 0;
}

/* Time in which this process could not run either (stopped with its child, by Ctrl-Z) does not count. */
static void count_silence(struct supervisor *supervisor, uint64_t elapsed_ms, bool heard)
{
    supervisor->silent_ms = heard ? 0 : supervisor->silent_ms + (elapsed_ms < TICK_MS ? elapsed_ms : TICK_MS);
}

static void step(struct supervisor *supervisor)
{
    struct attempt *attempt = &supervisor->attempt;
    struct pollfd wait[4 + CONTROL_POLL_MAX] = {
        { supervisor->signals, POLLIN, 0 },
        { attempt->wire, POLLIN, 0 },
        { attempt->output[0], POLLIN, 0 },
        { attempt->output[1], POLLIN, 0 },
    };
    uint32_t clients = control_poll_fill(supervisor->control, wait + 4);
    uint64_t begun_ms = clock_monotonic_ms();
    if (poll(wait, 4 + clients, poll_timeout(supervisor)) < 0)
        return;
    if (wait[2].revents != 0)
        forward(supervisor, 0);
    if (wait[3].revents != 0)
        forward(supervisor, 1);
    if (wait[1].revents != 0) {
        if (attempt_receive(attempt) < 0)
            attempt_kill(attempt);
        take_messages(supervisor);
    }
    count_silence(supervisor, clock_monotonic_ms() - begun_ms, wait[1].revents != 0);
    if (wait[0].revents != 0)
        take_signals(supervisor);
    control_expire(supervisor->control, clock_monotonic_ms());
    control_poll_serve(supervisor->control, wait + 4, clients);
    supervisor_watch(supervisor);
    if (attempt_reap(attempt))
        finish_attempt(supervisor);
    if (supervisor->phase == PHASE_WAITING && clock_monotonic_ms() >= supervisor->next_attempt_ms) {
        supervisor->number += 1;
        begin_attempt(supervisor);
    }
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have it ignored: then there would be nothing to wait for */
    signal(SIGPIPE, SIG_IGN);
    int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return descriptor >= 0 ? descriptor : error_set_errno(ERROR_IO, "cannot listen to signals");
}

static void append_number_of(struct buffer *text, uint64_t count, const char *what)
{
    text_append_count(text, count);
    buffer_append_format(text, " %s%s", what, count == 1 ? "" : "s");
}

static void say_summary(struct supervisor *supervisor)
{
    struct buffer text = { 0 };
    append_number_of(&text, supervisor->records, "record");
    buffer_append_format(&text, " in ");
    text_append_duration(&text, clock_monotonic_ms() - supervisor->started_ms);
    buffer_append_format(&text, ", ");
    append_number_of(&text, supervisor->checkpoints, "checkpoint");
    if (supervisor->number > 0) {
        buffer_append_format(&text, ", ");
        append_number_of(&text, supervisor->number + 1, "attempt");
    }
    progress_message(&supervisor->progress, "%s: %s, %.*s", supervisor->name, supervisor->outcome, (int)text.bytes, text.data);
    buffer_deinit(&text);
}

/* The directory is given up before anybody hears of the end: who was told may use it at once. */
static void close_run(struct supervisor *supervisor)
{
    progress_clear(&supervisor->progress);
    control_unlink(supervisor->control);
    lock_release(&supervisor->lock);
    if (supervisor->configured && supervisor->exit_status <= EXIT_FAILED)
        say_summary(supervisor);
    supervisor_tell_end(supervisor);
    control_close(supervisor->control);
    restart_deinit(&supervisor->restart);
    script_copy_deinit(&supervisor->script);
    free(supervisor->name);
    free(supervisor->previous_failure);
    free(supervisor->guarded_step);
    close(supervisor->signals);
}

int supervisor_run(const struct supervisor_options *options)
{
    struct supervisor supervisor = { .options = options, .started_ms = clock_monotonic_ms(), .lock = { .descriptor = -1 } };
    supervisor.attempt = (struct attempt){ .wire = -1, .output = { -1, -1 } };
    progress_init(&supervisor.progress, options->progress);
    int status = script_copy_read(&supervisor.script, options->arguments.script);
    if (status < 0) {
        progress_message(&supervisor.progress, "moontide: %s", error_message());
        script_copy_deinit(&supervisor.script);
        return EXIT_USAGE;
    }
    supervisor.signals = open_signals();
    if (supervisor.signals < 0) {
        progress_message(&supervisor.progress, "moontide: %s", error_message());
        script_copy_deinit(&supervisor.script);
        return EXIT_FAILED;
    }
    begin_attempt(&supervisor);
    while (supervisor.phase != PHASE_ENDED || supervisor.attempt.pid > 0)
        step(&supervisor);
    close_run(&supervisor);
    return supervisor.exit_status;
}
