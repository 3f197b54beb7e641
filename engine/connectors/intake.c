#include "connectors/intake.h"

#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_BYTES (256 * 1024)
#define CAPACITY_MAX (RECORD_BYTES_MAX + READ_BYTES)
/* simdjson loads whole vectors. */
#define SLACK_BYTES 64
/* What a message shows of a record that is too long. */
#define SHOWN_BYTES 256

bool format_can_split(const struct format_vtab *format, const struct options *options)
{
    return format->splittable && (format->can_split == NULL || format->can_split(options));
}

int intake_open(struct intake *intake, const char *name, const struct format_vtab *format, const struct options *options,
                struct bad_record_handler bad_record)
{
    *intake = (struct intake){ .format = format, .bad_record = bad_record, .lines_known = true };
    int status = format->decoder_open(options, &intake->decoder);
    if (status < 0)
        return status;
    intake->name = memory_copy_text(name);
    intake->by_lines = format_can_split(format, options);
    intake->capacity = READ_BYTES;
    intake->data = memory_new_zeroed(1, intake->capacity + SLACK_BYTES);
    return 0;
}

void intake_close(struct intake *intake)
{
    if (intake->decoder != NULL)
        intake->format->decoder_close(intake->decoder);
    free(intake->name);
    free(intake->data);
    *intake = (struct intake){ 0 };
}

void intake_restart(struct intake *intake)
{
    intake->head = intake->tail = 0;
    intake_move(intake, &(struct intake_place){ 0 });
    intake->lines_known = true;
    intake->begun = intake->at_end = intake->lost = false;
}

void intake_move(struct intake *intake, const struct intake_place *place)
{
    intake->offset = place->offset;
    intake->lines = place->lines;
    intake->records = place->records;
    intake->settled = *place;
}

static void resize(struct intake *intake, size_t capacity)
{
    intake->data = memory_resize(intake->data, capacity + SLACK_BYTES);
    intake->capacity = capacity;
}

/*
 * A record that fills half of the window has it doubled, so that a long one is
 * looked at a few times only; the window of a long record is given back after it.
 */
char *intake_room(struct intake *intake, size_t *bytes)
{
    size_t used = intake->tail - intake->head;
    if (used > 0 && intake->head > 0)
        memmove(intake->data, intake->data + intake->head, used);
    intake->head = 0;
    intake->tail = used;
    if (used > intake->capacity / 2 && intake->capacity < CAPACITY_MAX)
        resize(intake, intake->capacity * 2 < CAPACITY_MAX ? intake->capacity * 2 : CAPACITY_MAX);
    else if (intake->capacity > 4 * READ_BYTES && used < READ_BYTES / 2)
        resize(intake, READ_BYTES);
    *bytes = intake->capacity - used;
    return intake->data + used;
}

void intake_add(struct intake *intake, size_t bytes)
{
    intake->tail += bytes;
    memset(intake->data + intake->tail, 0, SLACK_BYTES);
}

bool intake_empty(const struct intake *intake)
{
    return intake->head == intake->tail;
}

static void consume(struct intake *intake, size_t bytes)
{
    intake->head += bytes;
    intake->offset += bytes;
}

static struct decode_input input_of(const struct intake *intake)
{
    return (struct decode_input){
        .bytes = slice_of(intake->data + intake->head, intake->tail - intake->head),
        .at_end = intake->at_end,
        .records = intake->records,
        .lines = intake->lines,
        .lost = intake->lost,
    };
}

/* Behind a line, or what a format without lines consumed. A decoder that drops a line that is too long is in its middle. */
static bool record_may_begin(const struct intake *intake)
{
    return !intake->by_lines || intake->at_end || (intake->head > 0 && intake->data[intake->head - 1] == '\n');
}

static void input_taken(struct intake *intake, const struct decode_input *input)
{
    consume(intake, (size_t)(input->bytes.data - (intake->data + intake->head)));
    intake->records = input->records;
    intake->lines = input->lines;
    intake->lost = input->lost;
    if (record_may_begin(intake))
        intake->settled = (struct intake_place){ intake->offset, intake->lines, intake->records };
}

/* The offset in the input of a slice of the window; of the window's front if it lies elsewhere. */
static uint64_t offset_of(const struct intake *intake, struct slice bytes)
{
    bool inside = bytes.data >= intake->data && bytes.data <= intake->data + intake->tail;
    return inside ? intake->offset + (uint64_t)(bytes.data - intake->data) - intake->head : intake->offset;
}

/* Tell the handler; where there is none the error is the reader's. */
static int report(struct intake *intake, const struct decode_error *error)
{
    char where[PATH_MAX + 64];
    if (intake->lines_known)
        snprintf(where, sizeof where, "%s:%" PRIu64, intake->name, error->line);
    else
        snprintf(where, sizeof where, "%s: byte %" PRIu64, intake->name, offset_of(intake, error->bytes));
    if (intake->bad_record.handle == NULL)
        return error_set(error->code, "%s: %s", where, error->message);
    return intake->bad_record.handle(intake->bad_record.self, where, error);
}

static int report_here(struct intake *intake, int code)
{
    size_t bytes = intake->tail - intake->head;
    struct decode_error error = {
        .code = code,
        .line = intake->lines + 1,
        .bytes = slice_of(intake->data + intake->head, bytes < SHOWN_BYTES ? bytes : SHOWN_BYTES),
        .message = error_message(),
    };
    return report(intake, &error);
}

static bool line_end_known(const struct intake *intake)
{
    return memchr(intake->data + intake->head, '\n', intake->tail - intake->head) != NULL;
}

static bool too_long(const struct intake *intake)
{
    return intake->tail - intake->head > RECORD_BYTES_MAX;
}

/* A header is handed over when its whole line is there: 1, or 0 where bytes are missing. */
static int begin(struct intake *intake)
{
    if (intake->format->decoder_begin_file != NULL) {
        if (intake->format->has_header && !intake->at_end && !line_end_known(intake) && !too_long(intake))
            return 0;
        struct decode_input input = input_of(intake);
        int status = intake->format->decoder_begin_file(intake->decoder, &input);
        if (status < 0)
            return error_wrap(status, "%s:1", intake->name);
        input_taken(intake, &input);
    }
    intake->begun = true;
    return 1;
}

static int cut_short_report(struct intake *intake)
{
    int status = report_here(intake, error_set(ERROR_FORMAT, "the last record is cut short"));
    intake->records++;
    consume(intake, intake->tail - intake->head);
    intake->settled = (struct intake_place){ intake->offset, intake->lines, intake->records };
    return status;
}

/* The decoder took what it could and the batch has room. */
static int rest(struct intake *intake)
{
    if (intake_empty(intake))
        return 0;
    if (too_long(intake))
        return error_set(ERROR_TOO_LARGE, "%s: byte %" PRIu64 ": a record of more than %d bytes", intake->name, intake->offset, RECORD_BYTES_MAX);
    return intake->at_end ? cut_short_report(intake) : 0;
}

int intake_decode(struct intake *intake, struct batch *batch)
{
    int status = intake->begun ? 1 : begin(intake);
    if (status <= 0)
        return status;
    while (!batch_full(batch) && !intake_empty(intake)) {
        struct decode_error error;
        struct decode_input input = input_of(intake);
        status = intake->format->decode(intake->decoder, &input, batch, &error);
        int answer = status < 0 ? report(intake, &error) : 0;
        input_taken(intake, &input);
        if (answer < 0)
            return answer;
        if (status == 0 && !batch_full(batch))
            return rest(intake);
    }
    return 0;
}

void intake_position(const struct intake *intake, uint64_t identity, struct buffer *position)
{
    buffer_append_format(position, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, intake->settled.offset, intake->settled.lines,
                         intake->settled.records, identity);
}

bool position_take(struct slice *text, uint64_t *number)
{
    size_t at = 0;
    *number = 0;
    for (; at < text->bytes && text->data[at] >= '0' && text->data[at] <= '9'; at++) {
        if (__builtin_mul_overflow(*number, 10u, number) || __builtin_add_overflow(*number, (uint64_t)(text->data[at] - '0'), number))
            return false;
    }
    bool blank = at < text->bytes && text->data[at] == ' ';
    if (at == 0 || (!blank && at < text->bytes))
        return false;
    *text = slice_of(text->data + at + blank, text->bytes - at - blank);
    return true;
}

int intake_restore(struct intake *intake, struct slice position, uint64_t *identity, struct slice *more)
{
    struct intake_place at;
    *more = position;
    bool valid = position_take(more, &at.offset) && position_take(more, &at.lines) && position_take(more, &at.records) && position_take(more, identity);
    if (!valid)
        return error_set(ERROR_CORRUPT, "%s: '%.*s' is not a position", intake->name, (int)(position.bytes < 96 ? position.bytes : 96), position.data);
    intake_move(intake, &at);
    return 0;
}
