/*
 * A step whose work is in Lua: batches are resolved and described in the call
 * cell here, the loop over the records runs there.
 */
#include "dataflow/operators/call_step.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/batch_key.h"
#include "codec/msgpack.h"

#include <stdlib.h>

static struct operator *op_of(struct call *call)
{
    return call->step_instance;
}

static struct keyed_state *call_state(const struct operator *op)
{
    return ((const struct call_step *)op->self)->state;
}

int call_request(struct operator *op, int kind)
{
    op->call->request = kind;
    op->call->status = 0;
    __atomic_store_n(&op->call->batch_serial, op->call->batch_serial + 1, __ATOMIC_RELAXED); /* the watchdog looks at both */
    return OPERATOR_CALL;
}

static int state_open(struct operator *op, struct call_step *self)
{
    struct dataflow *dataflow = op->worker->dataflow;
    const struct step *step = op->step;
    struct checkpointing *checkpointing = dataflow->checkpointing;
    struct keyed_state_config config;
    operator_state_config(op, false, &config);
    self->state = keyed_state_new(&config);
    op->call->state = self->state;
    op->call->view = keyed_state_view(self->state);
    call_timers_open(op);
    int status = call_windows_open(op);
    if (status < 0)
        return status;
    return checkpointing->restore_state(checkpointing->self, step->id, self->state);
}

static void blobs_pack(struct buffer *out, struct restored_blobs restored)
{
    msgpack_write_array(out, restored.count);
    for (uint32_t i = 0; i < restored.count; i++)
        msgpack_write_string(out, restored.blobs[i]);
}

/* Of a step whose callback has returned: it is full, and no other comes behind it. */
static struct batch closed_output = { .count = BATCH_RECORDS_MAX };
static int64_t no_time = TIME_NONE;

/* What an author kept of a callback finds nothing there: neither the outputs, which are on their way, nor the record. */
static void request_close(struct operator *op)
{
    for (uint32_t port = 0; port < op->step->port_count; port++)
        op->call->out[port] = &closed_output;
    __atomic_store_n(&op->call->index, 0, __ATOMIC_RELAXED);
    op->call->times = op->call->timer_times = &no_time;
    op->call->keys = NULL;
    op->call->entries = NULL;
    if (op->call->windows != NULL)
        op->call->windows->panes.entries = NULL;
}

void call_outputs_open(struct operator *op)
{
    for (uint32_t port = 0; port < op->step->port_count; port++)
        op->call->out[port] = operator_output(op, (int)port);
}

static bool saves(const struct step *step)
{
    return step->call_kind != CALL_KIND_STEP || step->saving;
}

static int call_open(struct operator *op)
{
    struct call_step *self = memory_new_zeroed(1, sizeof *self);
    op->self = self;
    op->call->watermark = WATERMARK_MIN;
    struct checkpointing *checkpointing = op->worker->dataflow->checkpointing;
    int status = op->step->keyed ? state_open(op, self) : 0;
    if (status == 0 && op->step->assign.set)
        status = assign_open(op, &self->assign);
    if (status < 0)
        return status;
    if (self->assign != NULL)
        op->call->watermarks = memory_new_zeroed(BATCH_RECORDS_MAX, sizeof op->call->watermarks[0]);
    if (saves(op->step)) {
        blobs_pack(&self->blobs, checkpointing->restored(checkpointing->self, op->step->id));
        op->call->blob_in = buffer_slice(&self->blobs);
    }
    call_outputs_open(op);
    op->source_ended = operator_rests(op) && op->step->call_kind == CALL_KIND_SOURCE;
    return operator_rests(op) ? 0 : call_request(op, CALL_OPEN);
}

static void call_close(struct operator *op)
{
    struct call_step *self = op->self;
    if (self == NULL)
        return;
    call_timers_close(op);
    call_windows_close(op);
    if (self->state != NULL)
        keyed_state_free(self->state);
    assign_close(self->assign);
    free(op->call->watermarks);
    op->call->watermarks = NULL;
    buffer_deinit(&self->blobs);
    free(self);
    op->self = NULL;
}

/* An input that is passed on gets keys written into it: one that others read too is copied. */
static struct batch *input_of(struct operator *op, struct batch *batch)
{
    if (!op->call->pass_input || batch_is_only(batch))
        return batch_share(batch);
    struct batch *copy = batch_take();
    copy->split = batch->split;
    for (int32_t i = 0; i < batch->count; i++)
        batch_append_record(copy, batch, i);
    return copy;
}

/* A dropped record has a key of this length, also where the records have none otherwise. */
#define KEY_DROPPED UINT32_MAX

static void drop_records(struct batch *batch, int64_t *watermarks)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < batch->count; i++) {
        if (batch->keys[i].bytes == KEY_DROPPED)
            continue;
        batch->values[kept] = batch->values[i];
        batch->times[kept] = batch->times[i];
        if (watermarks != NULL)
            watermarks[kept] = watermarks[i];
        batch->keys[kept++] = batch->keys[i];
    }
    batch->count = kept;
}

static int input_pass(struct operator *op)
{
    struct call_step *self = op->self;
    if (self->dropped)
        drop_records(op->input, op->call->watermarks);
    self->dropped = false;
    if (self->assign != NULL)
        return assign_pass(op, self->assign, op->input, op->call->watermarks);
    op->input->keyed = true;
    operator_pass(op, 0, op->input);
    return 0;
}

void call_drop(struct call *call, int32_t record)
{
    struct operator *op = op_of(call);
    ((struct call_step *)op->self)->dropped = true;
    op->input->keys[record].bytes = KEY_DROPPED;
}

/* A window step that keeps nothing by key alone needs no entries of keys. */
int call_keys_resolve(struct operator *op, const struct batch *batch)
{
    struct call_step *self = op->self;
    if (self->windows == NULL || op->step->state_count > 0)
        return keyed_state_resolve(self->state, batch, self->entries);
    keyed_state_evict(self->state);
    return 0;
}

static int records_prepare(struct operator *op, struct batch *batch)
{
    struct call_step *self = op->self;
    struct call *call = op->call;
    bool keyless = op->step->keyless[op->input_number], stateful = self->state != NULL && !keyless;
    int status = !stateful || op->input_from > 0 ? 0 : call_keys_resolve(op, batch);
    if (status < 0)
        return status;
    call->entries = stateful ? self->entries : NULL;
    op->input = batch = input_of(op, batch);
    for (int32_t i = 0; call->watermarks != NULL && i < batch->count; i++) {
        call->watermarks[i] = TIME_NONE;
        batch->keys[i].bytes = 0;
    }
    __atomic_store_n(&call->index, op->input_from, __ATOMIC_RELAXED);
    call->count = batch->count;
    call->input = (int32_t)op->input_number;
    call->values = batch->values;
    call->times = batch->times;
    call->bytes = batch->arena.bytes;
    call->keys = batch->keyed && !keyless ? batch->keys : NULL;
    return 0;
}

/* Panes are composed for as many records as there is room for; the others are done after these. */
static int panes_prepare(struct operator *op, struct batch *batch)
{
    struct call *call = op->call;
    int status = call_windows_compose(op, op->input_from, batch->count);
    if (status < 0)
        return status;
    call->count = status;
    if (call->count < batch->count)
        work_push(op->worker, (struct work){ .kind = WORK_BATCH, .op = op, .input = op->input_number, .batch = batch_share(batch),
            .number = (uint64_t)call->count });
    return 0;
}

static int call_batch(struct operator *op, struct batch *batch)
{
    if (batch->count == 0)
        return 0;
    int status = records_prepare(op, batch);
    if (status == 0 && ((struct call_step *)op->self)->windows != NULL)
        status = panes_prepare(op, batch);
    if (status < 0)
        return status;
    call_outputs_open(op);
    return call_request(op, CALL_BATCH);
}

static int call_poll(struct operator *op, bool *more)
{
    (void)more;
    call_outputs_open(op);
    op->call->count = op->room;
    return call_request(op, CALL_POLL);
}

static void polled(struct operator *op)
{
    if (op->call->status == SOURCE_END)
        op->source_ended = true;
    if (op->call->status != SOURCE_IDLE)
        return;
    op->wait_ns = op->call->wait_ms * 1000000;
    source_pause(op);
}

static int call_returned(struct operator *op, int kind)
{
    struct call_step *self = op->self;
    request_close(op);
    if (op->input != NULL) {
        int status = op->call->pass_input && op->call->status == 0 ? input_pass(op) : 0;
        batch_drop(op->input);
        op->input = NULL;
        if (status < 0)
            return status;
    }
    if (op->call->status < 0)
        return op->call->status;
    if (kind == CALL_POLL)
        polled(op);
    if (kind == CALL_OPEN && op->call->status == SOURCE_END)
        op->source_ended = true;
    if (self->state != NULL) {
        keyed_state_commit_record(self->state);
        return keyed_state_failure(self->state);
    }
    return 0;
}

static int call_snapshot(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob)
{
    struct call_step *self = op->self;
    if (self->state != NULL)
        keyed_state_freeze(self->state, checkpoint);
    if (self->assign != NULL)
        assign_snapshot(self->assign, blob);
    if (!saves(op->step) || operator_rests(op))
        return 0;
    op->call->checkpoint = checkpoint;
    op->call->final = final;
    return call_request(op, CALL_SNAPSHOT);
}

static int call_committed(struct operator *op, uint64_t checkpoint)
{
    if (op->step->call_kind != CALL_KIND_SINK || operator_rests(op))
        return 0;
    op->call->checkpoint = checkpoint;
    return call_request(op, CALL_COMMIT);
}

const struct operator_vtab operator_call = {
    .open = call_open, .batch = call_batch, .poll = call_poll, .returned = call_returned,
    .snapshot = call_snapshot, .committed = call_committed, .close = call_close,
    .time = call_time, .timers = call_timers, .clock = call_clock, .state = call_state, .timers_of = call_timers_of,
};

void call_roll(struct call *call, int port)
{
    struct operator *op = op_of(call);
    if (call->out[port] == &closed_output)
        return;
    operator_output_roll(op, port);
    call->out[port] = operator_output(op, port);
}

void call_pass(struct call *call, int32_t record)
{
    if (batch_full(call->out[0]))
        call_roll(call, 0);
    batch_append_unkeyed(call->out[0], op_of(call)->input, record);
}

void call_mark(struct call *call)
{
    struct operator *op = op_of(call);
    struct call_step *self = op->self;
    for (uint32_t port = 0; port < op->step->port_count; port++) {
        struct operator_output *output = &op->outputs[port];
        self->marks[port].count = output->current->count;
        self->marks[port].full = output->full_count;
        self->marks[port].used = output->current->arena.used;
    }
}

void call_rollback(struct call *call)
{
    struct operator *op = op_of(call);
    struct call_step *self = op->self;
    for (uint32_t port = 0; port < op->step->port_count; port++) {
        struct operator_output *output = &op->outputs[port];
        while (output->full_count > self->marks[port].full) { /* the batch that the record began in is the last of these */
            batch_drop(output->current);
            output->current = output->full[--output->full_count].batch;
        }
        output->current->count = self->marks[port].count;
        output->current->arena.used = self->marks[port].used;
        call->out[port] = output->current;
    }
    if (self->state != NULL)
        keyed_state_undo(self->state);
    if (self->windows != NULL)
        call->windows->is_unkept = false; /* the timer is there again */
}

void call_save(struct call *call, const char *bytes, size_t count)
{
    buffer_append(op_of(call)->blob, bytes, count);
}

/* Writing a key may move the arena that the loop in Lua reads from. */
static struct batch *key_batch(struct call *call)
{
    return call->pass_input ? op_of(call)->input : call->out[0];
}

static int key_set(struct call *call, int status)
{
    if (call->pass_input)
        call->bytes = op_of(call)->input->arena.bytes;
    return status;
}

int call_key(struct call *call, int32_t record, const struct cell *cell, const char *bytes)
{
    return key_set(call, batch_key_set_cell(key_batch(call), record, *cell, bytes));
}

int call_key_number(struct call *call, int32_t record, double number)
{
    return key_set(call, batch_key_set_number(key_batch(call), record, number));
}

int call_key_string(struct call *call, int32_t record, const char *text, size_t bytes)
{
    return key_set(call, batch_key_set_string(key_batch(call), record, text, bytes));
}

uint32_t call_restored_version(const struct call *call, uint32_t slot)
{
    const struct operator *op = call->step_instance;
    return op->step->states[slot].restored_version;
}

void call_count_late(struct call *call)
{
    counter_add(&op_of(call)->late, 1);
}

void call_request_checkpoint(struct call *call)
{
    struct checkpointing *checkpointing = op_of(call)->worker->dataflow->checkpointing;
    checkpointing->request(checkpointing->self);
}
