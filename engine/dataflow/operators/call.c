/*
 * A step whose work is in Lua: batches are resolved and described in the call
 * cell here, the loop over the records runs there.
 */
#include "dataflow/worker_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/batch_key.h"
#include "codec/msgpack.h"

#include <stdlib.h>

struct call_step {
    struct keyed_state *state;
    struct entry *entries[BATCH_RECORDS_MAX];
    struct buffer blobs;                       /* restored, as a msgpack list of strings */
    bool dropped;                              /* some records of an input that is passed on */
    struct { int32_t count; uint32_t full; size_t used; } marks[PLAN_PORTS_MAX];
};

static struct operator *op_of(struct call *call)
{
    return call->step_instance;
}

struct keyed_state *operator_keyed_state(struct operator *op)
{
    return op->step->kind == STEP_CALL && op->self != NULL ? ((struct call_step *)op->self)->state : NULL;
}

static int request(struct operator *op, int kind)
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
    struct keyed_state_config config = {
        .column = step->column, .states = step->state_count, .subtask = op->worker->subtask,
        .max_parallelism = dataflow->plan->max_parallelism, .epoch = checkpointing->epoch,
        .undo = step->policy != POLICY_FAIL, .backend = checkpointing->backend,
        .output = { checkpointing->take, checkpointing->self },
    };
    plan_group_range(dataflow->plan, op->worker->subtask, &config.group_first, &config.group_last);
    for (uint32_t i = 0; i < step->state_count; i++) {
        config.state[i].id = step->states[i].id;
        config.state[i].kind = step->states[i].kind;
    }
    self->state = keyed_state_new(&config);
    op->call->state = self->state;
    op->call->view = keyed_state_view(self->state);
    return checkpointing->restore_state(checkpointing->self, step->id, self->state);
}

static void blobs_pack(struct buffer *out, struct restored_blobs restored)
{
    msgpack_write_array(out, restored.count);
    for (uint32_t i = 0; i < restored.count; i++)
        msgpack_write_string(out, restored.blobs[i]);
}

static void outputs_open(struct operator *op)
{
    for (uint32_t port = 0; port < op->step->port_count; port++)
        op->call->out[port] = operator_output(op, (int)port);
}

static int call_open(struct operator *op)
{
    struct call_step *self = memory_new_zeroed(1, sizeof *self);
    op->self = self;
    struct checkpointing *checkpointing = op->worker->dataflow->checkpointing;
    int status = op->step->keyed ? state_open(op, self) : 0;
    if (status < 0)
        return status;
    if (op->step->call_kind != CALL_KIND_STEP) {
        blobs_pack(&self->blobs, checkpointing->restored(checkpointing->self, op->step->id));
        op->call->blob_in = buffer_slice(&self->blobs);
    }
    outputs_open(op);
    return request(op, CALL_OPEN);
}

static void call_close(struct operator *op)
{
    struct call_step *self = op->self;
    if (self == NULL)
        return;
    if (self->state != NULL)
        keyed_state_free(self->state);
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
    for (int32_t i = 0; i < batch->count; i++)
        batch_append_record(copy, batch, i);
    return copy;
}

/* A dropped record has a key of this length. */
#define KEY_DROPPED UINT32_MAX

static void drop_records(struct batch *batch)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < batch->count; i++) {
        if (batch->keys[i].bytes == KEY_DROPPED)
            continue;
        batch->values[kept] = batch->values[i];
        batch->times[kept] = batch->times[i];
        batch->keys[kept++] = batch->keys[i];
    }
    batch->count = kept;
}

static void input_pass(struct operator *op)
{
    struct call_step *self = op->self;
    if (self->dropped)
        drop_records(op->input);
    self->dropped = false;
    op->input->keyed = true;
    operator_pass(op, 0, op->input);
}

void call_drop(struct call *call, int32_t record)
{
    struct operator *op = op_of(call);
    ((struct call_step *)op->self)->dropped = true;
    op->input->keys[record].bytes = KEY_DROPPED;
}

static int call_batch(struct operator *op, struct batch *batch)
{
    struct call_step *self = op->self;
    struct call *call = op->call;
    if (batch->count == 0)
        return 0;
    if (self->state != NULL) {
        int status = keyed_state_resolve(self->state, batch, self->entries);
        if (status < 0)
            return status;
        call->entries = self->entries;
    }
    op->input = batch = input_of(op, batch);
    __atomic_store_n(&call->index, 0, __ATOMIC_RELAXED);
    call->count = batch->count;
    call->values = batch->values;
    call->times = batch->times;
    call->bytes = batch->arena.bytes;
    call->keys = batch->keyed ? batch->keys : NULL;
    outputs_open(op);
    return request(op, CALL_BATCH);
}

static int call_poll(struct operator *op, bool *more)
{
    (void)more;
    outputs_open(op);
    return request(op, CALL_POLL);
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
    op->call->entries = NULL; /* state is reached only while a record is at hand */
    if (op->input != NULL) {
        if (op->call->pass_input && op->call->status == 0)
            input_pass(op);
        batch_drop(op->input);
        op->input = NULL;
    }
    if (op->call->status < 0)
        return op->call->status;
    if (kind == CALL_POLL)
        polled(op);
    if (self->state != NULL) {
        keyed_state_commit_record(self->state);
        return keyed_state_failure(self->state);
    }
    return 0;
}

static int call_snapshot(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob)
{
    struct call_step *self = op->self;
    (void)blob;
    if (self->state != NULL)
        keyed_state_freeze(self->state, checkpoint);
    if (op->step->call_kind == CALL_KIND_STEP)
        return 0;
    op->call->checkpoint = checkpoint;
    op->call->final = final;
    return request(op, CALL_SNAPSHOT);
}

static int call_committed(struct operator *op, uint64_t checkpoint)
{
    if (op->step->call_kind != CALL_KIND_SINK)
        return 0;
    op->call->checkpoint = checkpoint;
    return request(op, CALL_COMMIT);
}

const struct operator_vtab operator_call = {
    .open = call_open, .batch = call_batch, .poll = call_poll, .returned = call_returned,
    .snapshot = call_snapshot, .committed = call_committed, .close = call_close, .part = "lua",
};

void call_roll(struct call *call, int port)
{
    struct operator *op = op_of(call);
    operator_output_roll(op, port);
    call->out[port] = operator_output(op, port);
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

void call_request_checkpoint(struct call *call)
{
    struct checkpointing *checkpointing = op_of(call)->worker->dataflow->checkpointing;
    checkpointing->request(checkpointing->self);
}
