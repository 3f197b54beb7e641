#include "dataflow/operators/assign.h"

#include "base/error.h"
#include "base/memory.h"
#include "dataflow/drift.h"
#include "time/assigner.h"
#include "time/timestamps.h"

#include <stdlib.h>

struct assign {
    struct assigner *assigner;
    uint32_t *channels;        /* by the worker's number of a split, 0: the one of records from no split; UINT32_MAX: not open */
    uint32_t channel_count;
    int64_t next_clock;        /* when the assigner wants to be asked next */
    bool stale;                /* records have come since it was */
    bool ended;
    bool pressed, waited;      /* what held() and waits() said when it was asked last */
    struct operator **sources; /* whose records come straight to it */
    uint32_t source_count;
    struct timestamps *timestamps;
};

/* ---- Channels ---- */

static uint32_t *channel_place(struct assign *assign, uint32_t split)
{
    uint32_t old = assign->channel_count;
    if (split >= old) {
        assign->channel_count = split + 16;
        assign->channels = memory_resize(assign->channels, assign->channel_count * sizeof assign->channels[0]);
        for (uint32_t i = old; i < assign->channel_count; i++)
            assign->channels[i] = UINT32_MAX;
    }
    return &assign->channels[split];
}

static uint32_t channel_of(struct operator *op, struct assign *assign, uint32_t split)
{
    if (!op->step->assign.of_splits)
        split = 0;
    uint32_t *channel = channel_place(assign, split);
    if (*channel == UINT32_MAX)
        *channel = assigner_channel(assign->assigner, worker_split_name(op->worker, split), worker_clock_ms(op->worker));
    return *channel;
}

/* ---- Life ---- */

static void sources_find(struct operator *op, struct assign *assign)
{
    const struct plan *plan = op->worker->dataflow->plan;
    assign->sources = memory_new_zeroed(plan->count, sizeof assign->sources[0]);
    for (uint32_t i = 0; i < plan->count; i++) {
        if (step_is_source(&plan->steps[i]) && plan_reaches(plan, &plan->steps[i], op->step))
            assign->sources[assign->source_count++] = &op->worker->ops[i];
    }
}

int assign_open(struct operator *op, struct assign **out)
{
    const struct step_assign *step = &op->step->assign;
    struct checkpointing *checkpointing = op->worker->dataflow->checkpointing;
    struct assigner_config config = step->watermarks;
    config.subtask = op->worker->subtask;
    config.parallelism = op->worker->dataflow->plan->parallelism;
    struct assigner *assigner = assigner_new(&config);
    if (assigner == NULL)
        return ERROR_ARGUMENT;
    struct assign *assign = memory_new_zeroed(1, sizeof *assign);
    assign->assigner = assigner;
    assign->stale = true;
    sources_find(op, assign);
    *out = assign;
    struct restored_blobs restored = checkpointing->restored(checkpointing->self, op->step->id);
    for (uint32_t i = 0; i < restored.count; i++) {
        int status = restored.blobs[i].bytes == 0 ? 0 : assigner_restore(assigner, restored.blobs[i]);
        if (status < 0)
            return status;
    }
    if (!step->of_splits)
        channel_of(op, assign, 0);
    return 0;
}

void assign_close(struct assign *assign)
{
    if (assign == NULL)
        return;
    assigner_free(assign->assigner);
    if (assign->timestamps != NULL)
        timestamps_free(assign->timestamps);
    free(assign->channels);
    free(assign->sources);
    free(assign);
}

const struct assigner *assign_assigner(const struct assign *assign)
{
    return assign->assigner;
}

void assign_snapshot(const struct assign *assign, struct buffer *blob)
{
    assigner_snapshot(assign->assigner, blob);
}

/* ---- What leaves ---- */

static void events_emit(struct operator *op, struct assign *assign)
{
    static const uint32_t marks[] = { [VALVE_WATERMARK] = MARK_WATERMARK, [VALVE_IDLE] = MARK_IDLE, [VALVE_ACTIVE] = MARK_ACTIVE };
    struct valve_event event;
    while (assigner_next_event(assign->assigner, &event)) {
        if (event.kind == VALVE_WATERMARK)
            op->time.watermark = event.watermark;
        else
            op->time.idle = event.kind == VALVE_IDLE;
        if (op->time.idle || event.watermark == INT64_MAX)
            drift_leave(op);
        else
            drift_publish(op, op->time.watermark);
        if (op->time.ended && event.kind == VALVE_WATERMARK && event.watermark == INT64_MAX)
            continue; /* the end of time is told by MARK_END: see perform_time() */
        operator_mark(op, marks[event.kind], event.watermark);
    }
}

static void records_emit(struct operator *op, struct batch *batch, int32_t from, int32_t to)
{
    if (from == 0 && to == batch->count) {
        operator_pass(op, 0, batch);
        return;
    }
    for (int32_t i = from; i < to; i++)
        batch_append_record(operator_output(op, 0), batch, i);
}

int assign_pass(struct operator *op, struct assign *assign, struct batch *batch, const int64_t *watermarks)
{
    uint32_t channel = channel_of(op, assign, batch->split);
    int64_t now_ms = worker_clock_ms(op->worker);
    assign->stale = true;
    for (int32_t from = 0; from < batch->count;) {
        int32_t to = assigner_advance(assign->assigner, channel, batch->times, watermarks, from, batch->count, now_ms);
        records_emit(op, batch, from, to);
        events_emit(op, assign);
        from = to;
    }
    worker_split_set_room(op->worker, batch->split, assigner_room(assign->assigner, channel));
    return 0;
}

/* ---- Time ---- */

static void split_end(struct operator *op, struct assign *assign, uint32_t split)
{
    uint32_t *channel = channel_place(assign, split);
    if (*channel != UINT32_MAX)
        assigner_channel_end(assign->assigner, *channel);
    *channel = UINT32_MAX;
    (void)op;
}

/* Time from upstream ends here, but for its end. */
int assign_time(struct operator *op, struct assign *assign, uint32_t mark, int64_t number)
{
    bool of_splits = op->step->assign.of_splits;
    assign->stale = true;
    if (mark == MARK_SPLIT && of_splits)
        channel_of(op, assign, (uint32_t)number);
    if (mark == MARK_SPLIT_END && of_splits)
        split_end(op, assign, (uint32_t)number);
    if (mark == MARK_NO_SPLIT && of_splits)
        assigner_without_split(assign->assigner);
    if (mark == MARK_END || (mark == MARK_WATERMARK && number == INT64_MAX)) {
        if (!assign->ended)
            assigner_end(assign->assigner);
        assign->ended = true;
    }
    events_emit(op, assign);
    if (mark == MARK_END) {
        drift_leave(op);
        operator_mark(op, MARK_END, 0);
    }
    return 0;
}

/* Nothing can come, for reasons that are not the source's: idleness does not count that time. */
static bool held(const struct operator *op)
{
    const struct chain *chain = worker_chain(op->worker, op->step);
    return (chain != NULL && (chain->pressed || chain->starved)) || drift_is_ahead(op);
}

/* Was there nothing when it was asked for last? Behind a source that can only be said of the source itself: others may be in its chain. */
static bool waits(const struct operator *op, const struct assign *assign)
{
    const struct chain *chain = worker_chain(op->worker, op->step);
    bool waits = assign->source_count == 0 && (chain == NULL || !chain->fed);
    for (uint32_t i = 0; i < assign->source_count; i++)
        waits = waits || assign->sources[i]->wait_until_ns > 0;
    return waits;
}

int assign_tick(struct operator *op, struct assign *assign)
{
    assign->pressed = held(op);
    assign->waited = waits(op, assign);
    assign->stale = false;
    assign->next_clock = assign->ended ? INT64_MAX : assigner_clock(assign->assigner, worker_clock_ms(op->worker), assign->pressed, assign->waited);
    events_emit(op, assign);
    return 0;
}

int64_t assign_clock(struct operator *op, struct assign *assign, int64_t now_ms)
{
    if (assign->ended)
        return INT64_MAX;
    bool as_before = held(op) == assign->pressed && waits(op, assign) == assign->waited;
    if (!assign->stale && as_before && now_ms < assign->next_clock)
        return assign->next_clock;
    work_push(op->worker, (struct work){ .kind = WORK_TIMERS, .op = op, .mark = DOMAIN_PROCESSING, .number = (uint64_t)now_ms });
    return now_ms;
}

/* ---- The step that takes the time from a field ---- */

static int step_open(struct operator *op)
{
    struct assign *assign = NULL;
    int status = assign_open(op, &assign);
    op->self = assign;
    if (status < 0)
        return status;
    const struct step_assign *step = &op->step->assign;
    struct timestamps_config config = { slice_of_text(step->field), step->unit, slice_of_text(step->format) };
    return timestamps_new(&config, &assign->timestamps);
}

static void step_close(struct operator *op)
{
    assign_close(op->self);
    op->self = NULL;
}

/* Records whose time cannot be read are left out, where the policy is not to fail. */
static int times_read(struct operator *op, struct batch *batch, struct batch **kept)
{
    struct assign *assign = op->self;
    *kept = batch;
    int32_t failed = -1;
    int status = timestamps_read(assign->timestamps, batch, 0, &failed);
    if (status == 0 || failed < 0)
        return status;
    if (op->step->policy == POLICY_FAIL)
        return operator_bad_record(op, batch, failed, status);
    *kept = batch_take();
    (*kept)->split = batch->split;
    int32_t from = 0;
    while (status < 0 && failed >= from) {
        for (int32_t i = from; i < failed; i++)
            batch_append_record(*kept, batch, i);
        status = operator_bad_record(op, batch, failed, status);
        if (status < 0)
            return status;
        from = failed + 1;
        failed = -1;
        status = timestamps_read(assign->timestamps, batch, from, &failed);
    }
    for (int32_t i = from; i < batch->count && status == 0; i++)
        batch_append_record(*kept, batch, i);
    return status;
}

static int step_batch(struct operator *op, struct batch *input)
{
    struct batch *batch = input, *kept;
    if (!batch_is_only(input)) { /* others read its times too */
        batch = batch_take();
        batch->split = input->split;
        for (int32_t i = 0; i < input->count; i++)
            batch_append_record(batch, input, i);
    }
    int status = times_read(op, batch, &kept);
    if (status == 0)
        status = assign_pass(op, op->self, kept, NULL);
    if (kept != batch)
        batch_drop(kept);
    if (batch != input)
        batch_drop(batch);
    return status;
}

static int step_time(struct operator *op, uint32_t mark, int64_t number)
{
    return assign_time(op, op->self, mark, number);
}

static int step_tick(struct operator *op, uint32_t domain, int64_t now)
{
    (void)domain, (void)now;
    return assign_tick(op, op->self);
}

static int64_t step_clock(struct operator *op, int64_t now_ms)
{
    return op->self == NULL ? INT64_MAX : assign_clock(op, op->self, now_ms);
}

static int step_snapshot(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob)
{
    (void)checkpoint, (void)final;
    assign_snapshot(op->self, blob);
    return 0;
}

const struct operator_vtab operator_assign = {
    .open = step_open, .batch = step_batch, .time = step_time, .timers = step_tick, .clock = step_clock, .snapshot = step_snapshot,
    .close = step_close,
};
