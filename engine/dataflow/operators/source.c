/*
 * A source in C: reads splits one after the other. A split that has nothing now
 * (a followed file) stays open, and the next one is taken beside it.
 */
#include "dataflow/worker_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "dataflow/report.h"
#include "dataflow/source_shared.h"

#include <stdlib.h>

struct open_split { struct split split; struct reader *reader; uint32_t number; bool idle; };

struct source_reader {
    struct open_split *open;
    uint32_t open_count, open_capacity, next;
    struct split *done;         /* finished by this subtask in this attempt */
    uint32_t done_count, done_capacity;
    struct bad_record_handler bad_record;
    bool without_split;         /* and has said so */
};

static int bad_record(void *self, const char *where, const struct decode_error *error)
{
    struct operator *op = self;
    if (op->step->policy == POLICY_FAIL) {
        int status = error_set(error->code, "%s: %s: %.*s", where, error->message, (int)(error->bytes.bytes < 200 ? error->bytes.bytes : 200), error->bytes.data);
        report_step(op, status);
        return status;
    }
    return operator_bad_bytes(op, where, error->bytes, error->message);
}

static void open_close(const struct operator *op, struct open_split *open)
{
    op->step->source->reader_close(open->reader);
    open->reader = NULL;
}

static void source_close(struct operator *op)
{
    struct source_reader *self = op->self;
    if (self == NULL)
        return;
    for (uint32_t i = 0; i < self->open_count; i++) {
        open_close(op, &self->open[i]);
        split_deinit(&self->open[i].split);
    }
    for (uint32_t i = 0; i < self->done_count; i++)
        split_deinit(&self->done[i]);
    free(self->open);
    free(self->done);
    free(self);
    op->self = NULL;
}

static int split_open(struct operator *op, struct split split)
{
    struct source_reader *self = op->self;
    if (self->open_count == self->open_capacity) {
        self->open_capacity = self->open_capacity * 2 + 4;
        self->open = memory_resize(self->open, self->open_capacity * sizeof self->open[0]);
    }
    struct open_split *open = &self->open[self->open_count];
    *open = (struct open_split){ .split = split };
    struct reader_context context = { .subtask = op->worker->subtask, .bad_record = self->bad_record };
    int status = op->step->source->reader_open(source_shared_source(op->step->shared), slice_of(split.name, split.name_bytes),
                                           slice_of(split.position, split.position_bytes), &context, &open->reader);
    if (status < 0) {
        split_deinit(&open->split);
        return status;
    }
    self->open_count++;
    self->without_split = false;
    open->number = worker_split_add(op->worker, op->step->name, slice_of(open->split.name, open->split.name_bytes));
    operator_mark(op, MARK_SPLIT, open->number);
    return 0;
}

/* 1: one more split is open; 0: none to take now; SOURCE_END: none ever. */
static int take_split(struct operator *op)
{
    struct split split;
    int status = source_shared_take(op->step->shared, &split);
    if (status != 1)
        return status;
    status = split_open(op, split);
    return status < 0 ? status : 1;
}

/* Splits that were being read at the checkpoint are all open before the first of them is read on; where there are none, one is taken. */
static int source_open(struct operator *op)
{
    struct source_reader *self = memory_new_zeroed(1, sizeof *self);
    self->bad_record = (struct bad_record_handler){ bad_record, op };
    op->self = self;
    if (operator_rests(op)) {
        op->source_ended = true;
        return 0;
    }
    struct split split;
    int status = 0;
    while (status == 0 && source_shared_take_restored(op->step->shared, op->worker->subtask, &split) == 1)
        status = split_open(op, split);
    if (status == 0 && self->open_count == 0)
        status = take_split(op);
    op->source_ended = status == SOURCE_END;
    return status < 0 ? status : 0;
}

static void split_done(struct operator *op, uint32_t index)
{
    struct source_reader *self = op->self;
    open_close(op, &self->open[index]);
    operator_mark(op, MARK_SPLIT_END, self->open[index].number);
    if (self->done_count == self->done_capacity) {
        self->done_capacity = self->done_capacity * 2 + 4;
        self->done = memory_resize(self->done, self->done_capacity * sizeof self->done[0]);
    }
    self->open[index].split.done = true;
    self->done[self->done_count++] = self->open[index].split;
    self->open[index] = self->open[--self->open_count];
}

/* How long until it is worth asking again: the shortest pause that an open reader names. */
static int64_t pause_ns(const struct operator *op)
{
    const struct source_reader *self = op->self;
    int64_t pause = 10000000;
    for (uint32_t i = 0; i < self->open_count && op->step->source->reader_wait != NULL; i++) {
        int descriptor = -1;
        int64_t wait = (int64_t)op->step->source->reader_wait(self->open[i].reader, &descriptor) * 1000000;
        wait = wait > 0 ? wait : 50000;
        pause = wait < pause ? wait : pause;
    }
    return pause;
}

static int poll_split(struct operator *op, uint32_t index, bool *got)
{
    struct source_reader *self = op->self;
    struct batch *batch = operator_output(op, 0);
    if (batch->count > 0) {
        operator_output_roll(op, 0);
        batch = operator_output(op, 0);
    }
    batch->split = self->open[index].number;
    int32_t room = worker_split_room(op->worker, batch->split);
    batch->room = room < op->room ? room : op->room;
    int answer = op->step->source->poll(self->open[index].reader, batch);
    counter_add(&op->records_in, (uint64_t)batch->count);
    *got = batch->count > 0 || answer == SOURCE_MORE;
    self->open[index].idle = answer == SOURCE_IDLE;
    if (answer == SOURCE_END)
        split_done(op, index);
    return answer < 0 ? answer : 0;
}

static int source_poll(struct operator *op, bool *more)
{
    struct source_reader *self = op->self;
    for (uint32_t turn = 0; turn < self->open_count; turn++) {
        self->next = (self->next + 1) % self->open_count;
        bool got;
        int status = poll_split(op, self->next, &got);
        if (status < 0 || got)
            return status;
        if (self->open_count == 0)
            break;
    }
    int status = take_split(op);
    if (status == SOURCE_END && self->open_count == 0)
        op->source_ended = true;
    if (status == 0 && self->open_count == 0 && !self->without_split) {
        self->without_split = true;
        operator_mark(op, MARK_NO_SPLIT, 0);
    }
    *more = status == 1 || op->source_ended;
    op->wait_ns = *more ? 0 : pause_ns(op);
    return status < 0 ? status : 0;
}

static void split_write(struct buffer *blob, const struct split *split, enum split_state state, struct slice position)
{
    msgpack_write_array(blob, 4);
    msgpack_write_string(blob, slice_of(split->name, split->name_bytes));
    msgpack_write_uint(blob, state);
    msgpack_write_uint(blob, split->place);
    msgpack_write_string(blob, position);
}

struct waiting_list { struct buffer splits; uint32_t count; };

/* A split that waits after a restore may have a position already. */
static void waiting_add(void *self, const struct split *split)
{
    struct waiting_list *list = self;
    split_write(&list->splits, split, SPLIT_WAITING, slice_of(split->position, split->position_bytes));
    list->count++;
}

static int source_snapshot(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob)
{
    (void)checkpoint;
    (void)final;
    struct source_reader *self = op->self;
    const struct split *before;
    uint32_t before_count = op->worker->subtask == 0 ? source_shared_done(op->step->shared, &before) : 0;
    msgpack_write_array(blob, 2);
    msgpack_write_uint(blob, source_shared_first_parallelism(op->step->shared));
    struct waiting_list waiting = { .count = 0 };
    buffer_init(&waiting.splits);
    source_shared_each_waiting(op->step->shared, waiting_add, &waiting);
    msgpack_write_array(blob, self->open_count + self->done_count + before_count + waiting.count);
    buffer_append_slice(blob, buffer_slice(&waiting.splits));
    buffer_deinit(&waiting.splits);
    for (uint32_t i = 0; i < before_count; i++)
        split_write(blob, &before[i], SPLIT_DONE, slice_of("", 0));
    for (uint32_t i = 0; i < self->done_count; i++)
        split_write(blob, &self->done[i], SPLIT_DONE, slice_of("", 0));
    struct buffer position;
    buffer_init(&position);
    int status = 0;
    for (uint32_t i = 0; i < self->open_count && status == 0; i++) {
        buffer_clear(&position);
        status = op->step->source->reader_position(self->open[i].reader, &position);
        split_write(blob, &self->open[i].split, SPLIT_OPEN, buffer_slice(&position));
    }
    buffer_deinit(&position);
    return status;
}

const struct operator_vtab operator_source = {
    .open = source_open, .poll = source_poll, .snapshot = source_snapshot, .close = source_close,
};
