#include "checkpoint/coordinator_internal.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>

static void message_send(struct coordinator *coordinator, struct message message)
{
    struct message *copy = memory_new(sizeof *copy);
    *copy = message;
    copy->next = NULL;
    pthread_mutex_lock(&coordinator->lock);
    *coordinator->last = copy;
    coordinator->last = &copy->next;
    pthread_cond_signal(&coordinator->condition);
    pthread_mutex_unlock(&coordinator->lock);
}

static void on_buffer(void *self, struct state_buffer *buffer)
{
    message_send(self, (struct message){ .kind = MESSAGE_BUFFER, .buffer = buffer });
}

static void on_ack(void *self, struct checkpoint_ack *ack)
{
    message_send(self, (struct message){ .kind = MESSAGE_ACK, .ack = ack });
}

static void on_base_done(void *self, uint64_t base, int status)
{
    message_send(self, (struct message){ .kind = MESSAGE_BASE_DONE, .base = base, .status = status });
}

static void signal_with(struct coordinator *coordinator, bool *flag)
{
    pthread_mutex_lock(&coordinator->lock);
    *flag = true;
    pthread_cond_signal(&coordinator->condition);
    pthread_mutex_unlock(&coordinator->lock);
}

static void on_request(void *self)
{
    struct coordinator *coordinator = self;
    signal_with(coordinator, &coordinator->requested);
}

static void on_ended(void *self, uint32_t subtask)
{
    (void)subtask;
    struct coordinator *coordinator = self;
    pthread_mutex_lock(&coordinator->lock);
    coordinator->ended++;
    pthread_cond_signal(&coordinator->condition);
    pthread_mutex_unlock(&coordinator->lock);
}

static void on_records(void *self, uint64_t records)
{
    struct coordinator *coordinator = self;
    uint64_t every = coordinator->config.records;
    uint64_t before = atomic_fetch_add_explicit(&coordinator->records, records, memory_order_relaxed);
    if (every > 0 && before / every != (before + records) / every)
        on_request(coordinator);
}

static int on_restore_state(void *self, uint32_t step, struct keyed_state *state);
static struct restored_blobs on_restored(void *self, uint32_t step);

struct coordinator *coordinator_new(const struct coordinator_config *config, struct plan *plan, struct storage *storage, struct backend *backend,
                                    const struct manifest *restored)
{
    struct coordinator *coordinator = memory_new_zeroed(1, sizeof *coordinator);
    coordinator->config = *config;
    coordinator->plan = plan;
    coordinator->storage = storage;
    coordinator->backend = backend;
    coordinator->restored = restored;
    coordinator->last = &coordinator->first;
    coordinator->next_id = config->first_id;
    coordinator->last_completed = restored == NULL ? 0 : restored->head.id;
    pthread_mutex_init(&coordinator->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&coordinator->condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
    struct checkpointing *checkpointing = &coordinator->checkpointing;
    checkpointing->self = coordinator;
    checkpointing->take = on_buffer;
    checkpointing->ack = on_ack;
    checkpointing->base_done = on_base_done;
    checkpointing->request = on_request;
    checkpointing->ended = on_ended;
    checkpointing->records = on_records;
    checkpointing->restore_state = on_restore_state;
    checkpointing->restored = on_restored;
    checkpointing->epoch = config->first_id;
    checkpointing->backend = backend;
    if (restored != NULL)
        files_inherit(coordinator, restored);
    return coordinator;
}

static void message_free(struct message *message)
{
    if (message->buffer != NULL)
        state_buffer_free(message->buffer);
    if (message->ack != NULL)
        checkpoint_ack_free(message->ack);
    free(message);
}

static void messages_free(struct message *message)
{
    while (message != NULL) {
        struct message *next = message->next;
        message_free(message);
        message = next;
    }
}

static void acks_free(struct pending_checkpoint *pending)
{
    while (pending->acks != NULL) {
        struct checkpoint_ack *next = pending->acks->next;
        checkpoint_ack_free(pending->acks);
        pending->acks = next;
    }
    *pending = (struct pending_checkpoint){ 0 };
}

void coordinator_free(struct coordinator *coordinator)
{
    acks_free(&coordinator->pending);
    messages_free(coordinator->first);
    messages_free(coordinator->unwritten);
    files_close(coordinator);
    pthread_cond_destroy(&coordinator->condition);
    pthread_mutex_destroy(&coordinator->lock);
    free(coordinator);
}

struct checkpointing *coordinator_checkpointing(struct coordinator *coordinator)
{
    return &coordinator->checkpointing;
}

static uint32_t acks_expected(const struct coordinator *coordinator)
{
    return coordinator->plan->chain_count * coordinator->plan->parallelism;
}

static void trigger(struct coordinator *coordinator, bool final)
{
    struct checkpointing *checkpointing = &coordinator->checkpointing;
    uint64_t id = coordinator->next_id++;
    coordinator->pending = (struct pending_checkpoint){ .id = id, .started_ns = clock_monotonic_ns(), .final = final };
    coordinator->last_trigger_ns = coordinator->pending.started_ns;
    coordinator->final_triggered = coordinator->final_triggered || final;
    if (final)
        atomic_store(&checkpointing->final, id);
    atomic_store_explicit(&checkpointing->requested, id, memory_order_release);
    dataflow_wake_all(coordinator->dataflow);
    crash_point("checkpoint.triggered");
}

static void settle(struct coordinator *coordinator, uint64_t id, const char *failure)
{
    pthread_mutex_lock(&coordinator->lock);
    struct coordinator_status *status = &coordinator->status;
    status->settled = id;
    status->last_failed = failure != NULL;
    if (failure != NULL) {
        status->count_failed++;
        snprintf(status->failure, sizeof status->failure, "%s", failure);
    } else {
        status->count_completed++;
        status->completed = id;
        status->last_duration_ns = clock_monotonic_ns() - coordinator->pending.started_ns;
        status->last_completed_ns = clock_monotonic_ns();
    }
    pthread_mutex_unlock(&coordinator->lock);
}

static void job_fail(struct coordinator *coordinator, uint64_t id, const char *reason)
{
    char report[700];
    snprintf(report, sizeof report, "moontide: job \"%s\", checkpoint %llu failed: %s", coordinator->config.job, (unsigned long long)id, reason);
    dataflow_fail(coordinator->dataflow, report, "");
}

static void checkpoint_failed(struct coordinator *coordinator, const char *reason)
{
    uint64_t id = coordinator->pending.id;
    bool final = coordinator->pending.final;
    settle(coordinator, id, reason);
    acks_free(&coordinator->pending);
    coordinator->last_end_ns = clock_monotonic_ns();
    coordinator->failures++;
    log_warn("checkpoint %llu failed: %s", (unsigned long long)id, reason);
    if (final || coordinator->failures > coordinator->config.tolerable_failures || files_broken(coordinator))
        job_fail(coordinator, id, reason);
}

static void checkpoint_completed(struct coordinator *coordinator)
{
    struct checkpointing *checkpointing = &coordinator->checkpointing;
    uint64_t id = coordinator->pending.id;
    bool final = coordinator->pending.final;
    crash_point("checkpoint.completed");
    settle(coordinator, id, NULL);
    acks_free(&coordinator->pending);
    coordinator->failures = 0;
    coordinator->last_end_ns = clock_monotonic_ns();
    coordinator->last_completed = id;
    atomic_store_explicit(&checkpointing->completed, id, memory_order_release);
    if (final) {
        coordinator->done = true;
        atomic_store(&checkpointing->finish, true);
        dataflow_wake_all(coordinator->dataflow);
        return;
    }
    if (!coordinator->base_running && coordinator->next_base.name == NULL && coordinator->bytes_since_base > coordinator->config.base_bytes)
        files_base_begin(coordinator);
    dataflow_wake_all(coordinator->dataflow);
}

static void ack_received(struct coordinator *coordinator, struct checkpoint_ack *ack)
{
    struct pending_checkpoint *pending = &coordinator->pending;
    if (ack->checkpoint != pending->id) { /* of one that was given up */
        checkpoint_ack_free(ack);
        return;
    }
    ack->next = pending->acks;
    pending->acks = ack;
    if (++pending->ack_count < acks_expected(coordinator))
        return;
    crash_point("checkpoint.acknowledged");
    if (files_commit(coordinator) < 0)
        checkpoint_failed(coordinator, error_message());
    else
        checkpoint_completed(coordinator);
}

static void base_acknowledged(struct coordinator *coordinator, int status)
{
    if (status < 0)
        coordinator->base_status = status;
    if (++coordinator->base_acks == coordinator->plan->parallelism)
        files_base_done(coordinator, coordinator->base_status);
}

/* A buffer that the disk refuses is kept by files_write(). */
static void handle(struct coordinator *coordinator, struct message *message)
{
    if (message->kind == MESSAGE_BUFFER) {
        if (files_write(coordinator, message->buffer) < 0)
            job_fail(coordinator, coordinator->next_id, error_message());
        message->buffer = NULL;
    } else if (message->kind == MESSAGE_ACK) {
        struct checkpoint_ack *ack = message->ack;
        message->ack = NULL;
        ack_received(coordinator, ack);
    } else {
        base_acknowledged(coordinator, message->status);
    }
    message_free(message);
}

/* A duration that is meant as "never" is still so in nanoseconds, and behind any time of the clock. */
static uint64_t nanoseconds(uint64_t ms)
{
    return ms < UINT64_MAX / 2 / 1000000u ? ms * 1000000u : UINT64_MAX / 2;
}

/* When the next periodic checkpoint is due; UINT64_MAX: never. */
static uint64_t due_ns(const struct coordinator *coordinator)
{
    if (coordinator->config.interval_ms <= 0)
        return UINT64_MAX;
    uint64_t due = coordinator->last_trigger_ns + nanoseconds((uint64_t)coordinator->config.interval_ms);
    if (coordinator->last_end_ns == 0) /* the first one: there is nothing to pause from */
        return due;
    uint64_t pause_end = coordinator->last_end_ns + nanoseconds(coordinator->config.min_pause_ms);
    return due > pause_end ? due : pause_end;
}

static bool final_due(const struct coordinator *coordinator)
{
    return coordinator->stop_requested || coordinator->ended == coordinator->plan->parallelism;
}

/* A request is taken back by the checkpoint that it began, wherever in the loop it came; those made while one is under way begin one together. */
static void trigger_if_due(struct coordinator *coordinator)
{
    if (coordinator->pending.id != 0 || coordinator->final_triggered)
        return;
    pthread_mutex_lock(&coordinator->lock);
    bool requested = coordinator->requested, final = final_due(coordinator);
    coordinator->requested = false;
    pthread_mutex_unlock(&coordinator->lock);
    if (final || requested || clock_monotonic_ns() >= due_ns(coordinator))
        trigger(coordinator, final);
}

static void expire(struct coordinator *coordinator)
{
    uint64_t timeout_ns = nanoseconds(coordinator->config.timeout_ms);
    if (coordinator->pending.id == 0 || timeout_ns == 0 || clock_monotonic_ns() - coordinator->pending.started_ns < timeout_ns)
        return;
    checkpoint_failed(coordinator, "not all steps acknowledged it in time (checkpoint.timeout)");
}

static void wait_for_message(struct coordinator *coordinator)
{
    uint64_t now = clock_monotonic_ns(), until = now + 100000000u;
    uint64_t due = coordinator->pending.id == 0 && !coordinator->final_triggered ? due_ns(coordinator) : UINT64_MAX;
    until = due < until ? due : until;
    struct timespec limit = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
    if (coordinator->first == NULL && !coordinator->exit && until > now)
        pthread_cond_timedwait(&coordinator->condition, &coordinator->lock, &limit);
}

/* What is asked for may have come before the thread waits for the first time, or while it handled messages: its signal is gone then. */
static bool can_trigger(const struct coordinator *coordinator)
{
    return coordinator->pending.id == 0 && !coordinator->final_triggered && (coordinator->requested || final_due(coordinator));
}

static void *coordinator_run(void *argument)
{
    struct coordinator *coordinator = argument;
    for (;;) {
        pthread_mutex_lock(&coordinator->lock);
        if (!can_trigger(coordinator))
            wait_for_message(coordinator);
        struct message *messages = coordinator->first;
        coordinator->first = NULL;
        coordinator->last = &coordinator->first;
        bool exit = coordinator->exit;
        pthread_mutex_unlock(&coordinator->lock);
        while (messages != NULL) {
            struct message *next = messages->next;
            handle(coordinator, messages);
            messages = next;
        }
        if (exit)
            return NULL;
        expire(coordinator);
        trigger_if_due(coordinator);
    }
}

int coordinator_start(struct coordinator *coordinator, struct dataflow *dataflow)
{
    coordinator->dataflow = dataflow;
    coordinator->last_trigger_ns = clock_monotonic_ns();
    int status = thread_start(&coordinator->thread, "coordinator", coordinator_run, coordinator);
    coordinator->thread_runs = status == 0;
    return status;
}

void coordinator_stop(struct coordinator *coordinator)
{
    if (!coordinator->thread_runs)
        return;
    signal_with(coordinator, &coordinator->exit);
    pthread_join(coordinator->thread, NULL);
    coordinator->thread_runs = false;
}

uint64_t coordinator_request(struct coordinator *coordinator)
{
    struct checkpointing *checkpointing = &coordinator->checkpointing;
    uint64_t newest = atomic_load(&checkpointing->requested);
    uint64_t final = atomic_load(&checkpointing->final); /* looked at last: it is set before its number is the newest */
    on_request(coordinator);
    return final != 0 ? final : newest + 1;
}

void coordinator_request_stop(struct coordinator *coordinator, bool drain)
{
    if (drain) {
        atomic_store(&coordinator->checkpointing.drain, true);
        dataflow_wake_all(coordinator->dataflow);
        return;
    }
    signal_with(coordinator, &coordinator->stop_requested);
}

void coordinator_status(struct coordinator *coordinator, struct coordinator_status *status)
{
    pthread_mutex_lock(&coordinator->lock);
    *status = coordinator->status;
    pthread_mutex_unlock(&coordinator->lock);
}

static int on_restore_state(void *self, uint32_t step, struct keyed_state *state)
{
    struct coordinator *coordinator = self;
    (void)step;
    return coordinator->restored == NULL ? 0 : coordinator_restore_state(coordinator, state);
}

static struct restored_blobs on_restored(void *self, uint32_t step)
{
    struct coordinator *coordinator = self;
    return coordinator_restored_blobs(coordinator, step);
}
