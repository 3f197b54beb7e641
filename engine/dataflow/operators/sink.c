/* A sink in C as the last step of a chain. */
#include "dataflow/dead_letter.h"
#include "dataflow/report.h"
#include "dataflow/worker_internal.h"

#include "base/error.h"

static int sink_open(struct operator *op)
{
    struct dataflow *dataflow = op->worker->dataflow;
    struct sink_context context = {
        .step_name = op->step->name, .data = dataflow->data, .run_id = dataflow->run_id,
        .subtask = op->worker->subtask, .parallelism = dataflow->plan->parallelism,
    };
    struct sink *sink = NULL;
    int status = op->step->sink->open(&sink, op->step->options, op->step->format, &context);
    op->self = sink;
    return status;
}

static void sink_close(struct operator *op)
{
    if (op->self != NULL)
        op->step->sink->close(op->self);
    op->self = NULL;
}

/* Letters as texts, which every format has a form for. */
static int letters_write_plain(struct operator *op, const struct batch *batch, int32_t from, int32_t to, bool all_fields)
{
    struct batch *letters = dead_letter_plain(batch, from, to, all_fields);
    int32_t failed = -1;
    int status = op->step->sink->write(op->self, letters, 0, to - from, &failed);
    if (status < 0 && failed >= 0)
        report_record(op, letters, failed, status);
    batch_drop(letters);
    return status;
}

/* A letter says what went wrong with a record: it may hold what the format of the sink has no form for, and must not be lost for that. */
static int letters_batch(struct operator *op, struct batch *batch)
{
    bool columns = op->step->format != NULL && op->step->format->encode_begin_file != NULL;
    if (columns)
        return letters_write_plain(op, batch, 0, batch->count, true);
    for (int32_t from = 0, failed = -1; from < batch->count; from = failed + 1) {
        failed = -1;
        int status = op->step->sink->write(op->self, batch, from, batch->count, &failed);
        if (status == 0)
            return 0;
        if (failed >= 0)
            status = letters_write_plain(op, batch, failed, failed + 1, false);
        if (status < 0)
            return status;
    }
    return 0;
}

static int sink_batch(struct operator *op, struct batch *batch)
{
    if (op->step->letters)
        return letters_batch(op, batch);
    int32_t from = 0;
    while (from < batch->count) {
        int32_t failed = -1;
        int status = op->step->sink->write(op->self, batch, from, batch->count, &failed);
        if (status == 0)
            return 0;
        if (failed < 0)
            return status;
        status = operator_bad_record(op, batch, failed, status);
        if (status < 0)
            return status;
        from = failed + 1;
    }
    return 0;
}

static int sink_flush(struct operator *op)
{
    return op->step->sink->flush == NULL ? 0 : op->step->sink->flush(op->self);
}

static int sink_snapshot(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob)
{
    if (op->step->sink->prepare == NULL)
        return sink_flush(op);
    return op->step->sink->prepare(op->self, checkpoint, final ? PREPARE_FINAL : PREPARE_CHECKPOINT, blob);
}

static int sink_committed(struct operator *op, uint64_t checkpoint)
{
    return op->step->sink->commit == NULL ? 0 : op->step->sink->commit(op->self, checkpoint);
}

const struct operator_vtab operator_sink = {
    .open = sink_open, .batch = sink_batch, .snapshot = sink_snapshot, .committed = sink_committed,
    .flush = sink_flush, .end = sink_flush, .close = sink_close,
};
