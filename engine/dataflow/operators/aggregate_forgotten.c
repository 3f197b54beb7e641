#include "dataflow/operators/aggregate.h"

int aggregate_forgotten_open(struct operator *op)
{
    struct aggregator *self = op->self;
    struct checkpointing *checkpointing = op->worker->dataflow->checkpointing;
    struct restored_blobs restored = checkpointing->restored(checkpointing->self, op->step->id);
    uint16_t first, last;
    keyed_state_groups(self->state, &first, &last);
    int status = 0;
    for (uint32_t i = 0; i < restored.count && self->shared && status == 0; i++)
        status = restored.blobs[i].bytes == 0 ? 0 : passed_times_read(&self->passed, restored.blobs[i], first, last);
    return status;
}

void aggregate_forgotten_snapshot(const struct operator *op, struct buffer *blob)
{
    const struct aggregator *self = op->self;
    struct passed_time now = { .attempt = self->slices.attempt, .time = aggregate_time_passed(op) };
    keyed_state_groups(self->state, &now.group_first, &now.group_last);
    if (self->shared)
        passed_times_write(&self->passed, &now, blob);
}

static int64_t cleanup_time(const struct aggregator *self, const struct window *window)
{
    return window_cleanup_time(window, self->event ? self->lateness : 0);
}

/* A window without a time to be forgotten at never is (S24). */
static bool is_until(int64_t cleanup, int64_t passed)
{
    return cleanup <= passed && cleanup != INT64_MAX;
}

bool aggregate_may_forget(const struct aggregator *self, const struct window *window)
{
    return is_until(cleanup_time(self, window), self->passed.latest);
}

bool aggregate_forgotten(const struct operator *op, const struct entry *entry, const char *slice, int64_t time)
{
    const struct aggregator *self = op->self;
    if (slice_attempt(slice) == self->slices.attempt || self->slice_end - 1 > self->passed.latest)
        return false;
    int64_t passed = passed_times_since(&self->passed, entry->group, slice_attempt(slice));
    struct window window;
    for (int has = window_last(&self->windows, time, &window); has > 0; has = window_previous(&self->windows, time, &window)) {
        if (is_until(cleanup_time(self, &window), passed) && !aggregate_is_dropped_for(op, &window))
            return true;
    }
    return false;
}

struct rest { const struct aggregator *self; uint16_t group; const struct window *window; struct buffer slices; };

static void rest_add(struct rest *rest, const char *slice)
{
    const struct aggregator *self = rest->self;
    int64_t start = slice_start(slice);
    if (start < rest->window->start || start >= rest->window->end)
        return;
    if (slice_attempt(slice) != self->slices.attempt &&
        is_until(cleanup_time(self, rest->window), passed_times_since(&self->passed, rest->group, slice_attempt(slice))))
        return;
    buffer_append(&rest->slices, slice, self->slices.bytes);
}

int aggregate_fire_rest(struct operator *op, const struct entry *entry, struct slice key, const struct window *window)
{
    const struct aggregator *self = op->self;
    struct rest rest = { self, entry->group, window, { 0 } };
    buffer_init(&rest.slices);
    uint32_t count;
    const char *slices = slices_of(self, entry, &count), *newest = newest_of(self, entry);
    for (uint32_t i = 0; i < count; i++)
        rest_add(&rest, slices + (size_t)i * self->slices.bytes);
    if (newest != NULL)
        rest_add(&rest, newest);
    int status = aggregate_emit(op, rest.slices.data, (uint32_t)(rest.slices.bytes / self->slices.bytes), key, window);
    buffer_deinit(&rest.slices);
    return status;
}
