#include "script/job_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define LUA_BYTES_MAX (2ull << 30)

struct worker_thread {
    struct job *job;
    struct worker *worker;
    struct vm *vm;
    uint32_t subtask;
    pthread_t thread;
    bool started;
    int answer;
};

static int vm_prepare(struct worker_thread *self)
{
    const struct job_arguments *arguments = &self->job->arguments;
    if (self->vm == NULL) {
        self->vm = vm_new(LUA_BYTES_MAX);
        int status = vm_load_job(self->vm, arguments->script, arguments->settings);
        if (status < 0)
            return status;
    }
    if (arguments->guarded_step != NULL)
        vm_guard(self->vm, self->worker, self->job->config.watchdog_ms);
    return 0;
}

/* What the driver in Lua could not report itself: memory that ran out, a script that fails to load a second time. */
static void drive_failed(struct worker_thread *self)
{
    char report[4400];
    uint64_t progress;
    int step = worker_running(self->worker, &progress);
    const char *name = step >= 0 ? self->job->plan->steps[step].name : "(none)";
    snprintf(report, sizeof report, "moontide: job \"%s\", step \"%s\", subtask %u: %s", self->job->name, name, self->subtask, error_message());
    dataflow_fail(self->job->dataflow, report, name);
}

static void *worker_thread(void *argument)
{
    struct worker_thread *self = argument;
    int status = vm_prepare(self);
    if (status == 0)
        status = vm_drive(self->vm, self->worker, &self->answer);
    if (status < 0) {
        drive_failed(self);
        self->answer = WORKER_FAILED;
    }
    return NULL;
}

/* The other workers and the coordinator. If one cannot be started the job has failed, and those that run find it so. */
static void threads_start(struct job *job, struct worker_thread *threads)
{
    int status = coordinator_start(job->coordinator, job->dataflow);
    for (uint32_t i = 1; i < job->parallelism && status == 0; i++) {
        char name[24];
        snprintf(name, sizeof name, "worker %u", i);
        status = thread_start(&threads[i].thread, name, worker_thread, &threads[i]);
        threads[i].started = status == 0;
    }
    if (status < 0)
        dataflow_fail(job->dataflow, error_message(), "");
}

static void threads_join(struct job *job, struct worker_thread *threads)
{
    for (uint32_t i = 1; i < job->parallelism; i++) {
        if (threads[i].started)
            pthread_join(threads[i].thread, NULL);
    }
    coordinator_stop(job->coordinator);
}

/*
 * What an attempt that came to no end has open is closed in Lua too. Which checkpoints stand is certain behind the
 * coordinator: one whose last sync failed is there as well, and where the folder cannot be read those that it completed.
 */
static void threads_give_up(struct job *job, struct worker_thread *threads)
{
    struct coordinator_status status;
    coordinator_status(job->coordinator, &status);
    uint64_t newest = storage_newest_id(job->storage), completed = newest > status.completed ? newest : status.completed;
    for (uint32_t i = 0; i < job->parallelism; i++) {
        if (threads[i].answer == WORKER_FAILED && threads[i].vm != NULL && vm_give_up(threads[i].vm, completed) < 0)
            log_warn("%s", error_message());
    }
}

static void threads_run(struct job *job)
{
    struct worker_thread *threads = memory_new_zeroed(job->parallelism, sizeof *threads);
    for (uint32_t i = 0; i < job->parallelism; i++)
        threads[i] = (struct worker_thread){ .job = job, .subtask = i, .worker = worker_new(job->dataflow, i, false), .vm = i == 0 ? job->vm : NULL };
    threads_start(job, threads);
    pthread_mutex_lock(&job->lock);
    job->running = true; /* from here on others may look at the workers */
    pthread_mutex_unlock(&job->lock);
    worker_thread(&threads[0]); /* the main thread is worker 0: its Lua state is loaded already */
    threads_join(job, threads);
    threads_give_up(job, threads);
    struct job_progress last;
    job_progress(job, &last);
    pthread_mutex_lock(&job->lock);
    job->last = last;
    job->last.running = false;
    coordinator_status(job->coordinator, &job->last_checkpoints);
    job->running = false;
    pthread_mutex_unlock(&job->lock);
    for (uint32_t i = 0; i < job->parallelism; i++) {
        worker_free(threads[i].worker);
        if (threads[i].vm != job->vm)
            vm_free(threads[i].vm);
    }
    free(threads);
}

static void say_where_it_goes_on(const struct job *job)
{
    if (job->manifest == NULL)
        return;
    const char *tag = job->older ? " (not the newest)" : "";
    fprintf(stderr, "moontide: %s goes on from checkpoint %llu%s\n", job->name, (unsigned long long)job->manifest->head.id, tag);
}

/* Who runs a job again to run it once more is told why nothing comes. */
static void say_that_nothing_was_left(const struct job *job)
{
    if (job->attempt == 0 && job->manifest != NULL && job->last.records_in == 0)
        fprintf(stderr, "moontide: nothing was left to read after checkpoint %llu (--fresh starts over)\n", (unsigned long long)job->manifest->head.id);
}

/* What has no place (a disk, a checkpoint) may be over at the next attempt: it never counts as the failure before. */
static char *failure_of(const struct job *job, const char *place)
{
    char text[40];
    snprintf(text, sizeof text, "attempt %u", job->attempt);
    return memory_copy_text(*place != 0 ? place : text);
}

/* What is in it may come from anywhere: records, names of files. */
static void say(const char *report)
{
    struct buffer text = { 0 };
    text_append_printable(&text, slice_of_text(report));
    fprintf(stderr, "%s%.*s\n", strncmp(report, "moontide:", 9) == 0 ? "" : "moontide: ", (int)text.bytes, text.data);
    buffer_deinit(&text);
}

static enum job_end failed(struct job *job, const char *previous_failure)
{
    const char *place;
    const char *report = dataflow_failure(job->dataflow, &place);
    say(report);
    job->failure = failure_of(job, place);
    bool again = previous_failure != NULL && *previous_failure != 0 && strcmp(previous_failure, job->failure) == 0;
    if (*place != 0 && job->reads_once && !again) {
        /* The next attempt would go on behind the record, and end well without it. */
        say("no other attempt: what this one has read cannot be read again");
        return JOB_FAILED_FINALLY;
    }
    return again ? JOB_FAILED_FINALLY : JOB_FAILED;
}

static enum job_end refused(int status)
{
    say(error_message());
    return status == ERROR_REFUSED ? JOB_REFUSED : JOB_FAILED;
}

enum job_end job_run(struct job *job, const char *data, uint32_t attempt, const char *previous_failure)
{
    pthread_mutex_lock(&job->lock);
    job->attempt = attempt;
    job->started_ns = clock_monotonic_ns();
    pthread_mutex_unlock(&job->lock);
    int status = job_prepare(job, data);
    if (status < 0) {
        job_unprepare(job);
        return refused(status);
    }
    say_where_it_goes_on(job);
    threads_run(job);
    enum job_end end = job->stop_requested ? JOB_STOPPED : JOB_FINISHED;
    if (dataflow_failure(job->dataflow, NULL) != NULL)
        end = failed(job, previous_failure);
    if (end == JOB_FINISHED)
        say_that_nothing_was_left(job);
    job_unprepare(job);
    return end;
}

const char *job_failure(const struct job *job)
{
    return job->failure == NULL ? "" : job->failure;
}

/* Do something with the running parts, if it runs. */
static bool running_lock(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    if (job->running)
        return true;
    pthread_mutex_unlock(&job->lock);
    return false;
}

uint64_t job_request_checkpoint(struct job *job)
{
    if (!running_lock(job))
        return UINT64_MAX;
    uint64_t number = coordinator_request(job->coordinator);
    pthread_mutex_unlock(&job->lock);
    return number;
}

void job_request_stop(struct job *job, bool drain)
{
    if (!running_lock(job))
        return;
    job->stop_requested = true;
    coordinator_request_stop(job->coordinator, drain);
    pthread_mutex_unlock(&job->lock);
}

void job_request_cancel(struct job *job)
{
    if (!running_lock(job))
        return;
    job->stop_requested = true;
    atomic_store(&coordinator_checkpointing(job->coordinator)->cancel, true);
    dataflow_wake_all(job->dataflow);
    pthread_mutex_unlock(&job->lock);
}

int job_explain(struct job *job, const char *format, struct buffer *out)
{
    return vm_explain(job->vm, format, out);
}
