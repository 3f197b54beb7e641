#include "dataflow/report.h"

#include "base/error.h"
#include "base/text.h"
#include "codec/json_show.h"
#include "dataflow/worker_internal.h"
#include "time/instant.h"

#define SHOWN_BYTES_MAX 2000 /* as in report.lua */

bool report_may_pass(int status)
{
    return status == ERROR_IO || status == ERROR_FULL || status == ERROR_MEMORY || status == ERROR_TIMEOUT;
}

static void append_head(struct buffer *report, const struct operator *op)
{
    const struct step *step = op->step;
    if (step->job != NULL)
        buffer_append_format(report, "job \"%s\", ", step->job);
    buffer_append_format(report, "step \"%s\", subtask %u: %s", step->name, op->worker->subtask, error_message());
    if (step->place != NULL)
        buffer_append_format(report, "\n  %s", step->place);
}

/* A text up to a length, cut between two characters. */
static void append_clipped(struct buffer *report, const struct buffer *text)
{
    size_t shown = text->bytes;
    if (shown > SHOWN_BYTES_MAX) {
        shown = SHOWN_BYTES_MAX;
        while (shown > 0 && ((unsigned char)text->data[shown] & 0xc0) == 0x80)
            shown--;
    }
    buffer_append(report, text->data, shown);
    if (shown < text->bytes)
        buffer_append_format(report, "... (%zu bytes)", text->bytes);
}

static void append_cell(struct buffer *report, struct cell cell, const char *bytes)
{
    struct buffer text = { 0 };
    json_show_cell(&text, cell, bytes, false);
    append_clipped(report, &text);
    buffer_deinit(&text);
}

/* A step that makes keys has no use for the one that the record had before. */
static void append_key(struct buffer *report, const struct operator *op, const struct batch *batch, int32_t index)
{
    bool keyed = batch->keyed && op->step->kind != STEP_KEY && batch->keys[index].bytes > 0;
    if (!keyed) {
        buffer_append_format(report, "none");
        return;
    }
    struct cell key = { .tag = CELL_PACKED, .length = batch->keys[index].bytes, .offset = batch->keys[index].offset };
    append_cell(report, key, batch->arena.bytes);
}

static void append_time(struct buffer *report, int64_t time)
{
    if (time == TIME_NONE)
        buffer_append_format(report, "none");
    else if (!time_is_stamp(time) || time == TIME_END)
        buffer_append_format(report, time == TIME_END ? "MAX" : "MIN");
    else
        text_append_time(report, time);
}

static void tell(struct operator *op, struct buffer *report, int status)
{
    buffer_append_byte(report, 0);
    dataflow_fail(op->worker->dataflow, report->data, report_may_pass(status) ? "" : report->data);
    buffer_deinit(report);
}

void report_record(struct operator *op, const struct batch *batch, int32_t index, int status)
{
    struct buffer report = { 0 };
    append_head(&report, op);
    buffer_append_format(&report, "\n  key     ");
    append_key(&report, op, batch, index);
    buffer_append_format(&report, "     time ");
    append_time(&report, batch->times[index]);
    buffer_append_format(&report, "\n  record  ");
    append_cell(&report, batch->values[index], batch->arena.bytes);
    buffer_append_format(&report, "\n  state of this record was rolled back; on_error = \"fail\" (also: \"skip\", { dead_letter = sink })");
    tell(op, &report, status);
}

void report_step(struct operator *op, int status)
{
    struct buffer report = { 0 };
    append_head(&report, op);
    tell(op, &report, status);
}
