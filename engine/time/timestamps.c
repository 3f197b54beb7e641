#include "time/timestamps.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "codec/number.h"
#include "codec/shape.h"
#include "time/instant.h"
#include "time/time_format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUE_BYTES_SHOWN 80

struct timestamps {
    char *field;
    size_t field_bytes;
    int unit;
    struct time_format *format;
    uint32_t shape;            /* of the last record; SHAPE_NONE: unknown */
    int index;                 /* of the field in that shape */
    struct arena scratch;      /* the field of a record that is no row */
};

int timestamps_new(const struct timestamps_config *config, struct timestamps **timestamps)
{
    struct time_format *format = NULL;
    int status = config->unit == TIME_UNIT_FORMAT ? time_format_new(config->format, &format) : 0;
    if (status < 0)
        return status;
    struct timestamps *self = memory_new_zeroed(1, sizeof *self);
    self->field = memory_copy(config->field.data, config->field.bytes);
    self->field_bytes = config->field.bytes;
    self->unit = config->unit;
    self->format = format;
    self->shape = SHAPE_NONE;
    arena_init(&self->scratch);
    *timestamps = self;
    return 0;
}

void timestamps_free(struct timestamps *timestamps)
{
    if (timestamps == NULL)
        return;
    time_format_free(timestamps->format);
    arena_deinit(&timestamps->scratch);
    free(timestamps->field);
    free(timestamps);
}

/* Within 2^53 on either side: then it is an integer without loss. */
static bool is_exact(double number)
{
    return number >= -(double)TIME_LIMIT && number <= (double)TIME_LIMIT;
}

/* The largest whole number of milliseconds whose double, in seconds, is not above `seconds`. */
static bool time_of_seconds(double seconds, int64_t *time)
{
    double ms = floor(seconds * 1000);
    if (!is_exact(ms))
        return false;
    if ((ms + 1) / 1000 <= seconds)
        ms += 1;
    else if (ms / 1000 > seconds)
        ms -= 1;
    *time = (int64_t)ms;
    return is_exact(ms);
}

/* 128 bits: a 64-bit number of seconds has no room in 64 bits of milliseconds, and a double of nanoseconds may be beyond 2^64. */
static bool time_of_integer(__int128 number, int unit, int64_t *time)
{
    __int128 per_ms = unit == TIME_UNIT_US ? 1000 : unit == TIME_UNIT_NS ? 1000000 : 1;
    __int128 ms = unit == TIME_UNIT_S ? number * 1000 : number / per_ms - (number % per_ms < 0);
    *time = (int64_t)ms;
    return ms >= -TIME_LIMIT && ms <= TIME_LIMIT;
}

static bool time_of_double(double number, int unit, int64_t *time)
{
    double whole = floor(number);
    if (number == INFINITY) {
        *time = TIME_END;
        return true;
    }
    if (whole != number && unit == TIME_UNIT_S)
        return time_of_seconds(number, time);
    if (isnan(number) || fabs(number) > 1e30 || (whole != number && unit == TIME_UNIT_MS))
        return false;
    return time_of_integer((__int128)whole, unit, time);
}

static bool time_of_string(const struct timestamps *timestamps, struct slice text, int64_t *time)
{
    return timestamps->unit == TIME_UNIT_ISO8601 ? time_read_iso8601(text, time) : time_format_read(timestamps->format, text, time);
}

static bool time_of_cell(const struct timestamps *timestamps, struct cell cell, const char *bytes, int64_t *time)
{
    if (timestamps->unit >= TIME_UNIT_ISO8601)
        return cell.tag == CELL_STRING && time_of_string(timestamps, slice_of(bytes + cell.offset, cell.length), time);
    switch (cell.tag) {
    case CELL_NUMBER: return time_of_double(cell.number, timestamps->unit, time);
    case CELL_INT64: return time_of_integer(cell.integer, timestamps->unit, time);
    case CELL_UINT64: return time_of_integer(cell.natural, timestamps->unit, time);
    default: return false;
    }
}

static void value_describe(struct cell cell, const char *bytes, char *text, size_t room)
{
    switch (cell.tag) {
    case CELL_NULL: snprintf(text, room, "null"); return;
    case CELL_FALSE: case CELL_TRUE: snprintf(text, room, "%s", cell.tag == CELL_TRUE ? "true" : "false"); return;
    case CELL_NUMBER:
        if (isnan(cell.number) || isinf(cell.number)) {
            snprintf(text, room, "%g", cell.number);
            return;
        }
        /* fall through */
    case CELL_INT64: case CELL_UINT64: {
        char number[NUMBER_TEXT_BYTES_MAX];
        snprintf(text, room, "%.*s", (int)number_write(number, cell), number);
        return;
    }
    case CELL_STRING: {
        bool whole = cell.length <= VALUE_BYTES_SHOWN;
        snprintf(text, room, "\"%.*s%s\"", (int)(whole ? cell.length : VALUE_BYTES_SHOWN), bytes + cell.offset, whole ? "" : "...");
        return;
    }
    default: snprintf(text, room, "a table"); return;
    }
}

static const char *const wanted[] = {
    [TIME_UNIT_MS] = "a whole number of milliseconds", [TIME_UNIT_S] = "a time in seconds", [TIME_UNIT_US] = "a time in microseconds",
    [TIME_UNIT_NS] = "a time in nanoseconds", [TIME_UNIT_ISO8601] = "a time in ISO 8601", [TIME_UNIT_FORMAT] = "a time in the given format",
};

static int no_time(const struct timestamps *timestamps, struct cell cell, const char *bytes)
{
    char value[VALUE_BYTES_SHOWN + 16];
    value_describe(cell, bytes, value, sizeof value);
    return error_set(ERROR_ARGUMENT, "field '%s' is %s, which is not %s%s", timestamps->field, value, wanted[timestamps->unit],
                     timestamps->unit < TIME_UNIT_ISO8601 ? " within 2^53 ms of 1970" : "");
}

static int no_field(const struct timestamps *timestamps)
{
    return error_set(ERROR_ARGUMENT, "the record has no field '%s' to take its time from", timestamps->field);
}

static int shape_learn(struct timestamps *timestamps, uint32_t id)
{
    timestamps->shape = SHAPE_NONE;
    timestamps->index = shape_field(shape_get(id), slice_of(timestamps->field, timestamps->field_bytes));
    if (timestamps->index < 0)
        return no_field(timestamps);
    timestamps->shape = id;
    return 0;
}

static int read_packed(struct timestamps *timestamps, const struct batch *batch, struct cell value, int64_t *time)
{
    struct cell cell;
    struct slice packed = slice_of(batch->arena.bytes + value.offset, value.length);
    arena_clear(&timestamps->scratch);
    int status = msgpack_read_field(packed, slice_of(timestamps->field, timestamps->field_bytes), &timestamps->scratch, &cell);
    if (status < 0)
        return status;
    if (cell.tag == CELL_ABSENT)
        return no_field(timestamps);
    const char *bytes = timestamps->scratch.bytes;
    return time_of_cell(timestamps, cell, bytes, time) ? 0 : no_time(timestamps, cell, bytes);
}

static int read_other(struct timestamps *timestamps, const struct batch *batch, struct cell value, int64_t *time)
{
    if (value.tag == CELL_PACKED)
        return read_packed(timestamps, batch, value, time);
    return error_set(ERROR_ARGUMENT, "the record is not a table: it has no field '%s' to take its time from", timestamps->field);
}

static int read_row(struct timestamps *timestamps, const struct batch *batch, struct cell value, int64_t *time)
{
    int status = value.length == timestamps->shape ? 0 : shape_learn(timestamps, value.length);
    if (status < 0)
        return status;
    struct cell cell = ((const struct cell *)arena_at(&batch->arena, value.offset))[timestamps->index];
    return time_of_cell(timestamps, cell, batch->arena.bytes, time) ? 0 : no_time(timestamps, cell, batch->arena.bytes);
}

/* Rows of one shape with whole milliseconds: nearly all there are. Answers where they end. */
static int32_t read_usual(const struct timestamps *timestamps, struct batch *batch, int32_t from)
{
    int32_t i = from;
    for (; i < batch->count; i++) {
        struct cell value = batch->values[i];
        if (value.tag != CELL_ROW || value.length != timestamps->shape)
            break;
        const struct cell *cell = (const struct cell *)arena_at(&batch->arena, value.offset) + timestamps->index;
        if (cell->tag != CELL_NUMBER || !is_exact(cell->number))
            break;
        int64_t time = (int64_t)cell->number;
        if ((double)time != cell->number)
            break;
        batch->times[i] = time;
    }
    return i;
}

int timestamps_read(struct timestamps *timestamps, struct batch *batch, int32_t from, int32_t *failed)
{
    int32_t i = from;
    while (i < batch->count) {
        if (timestamps->unit == TIME_UNIT_MS)
            i = read_usual(timestamps, batch, i);
        if (i == batch->count)
            break;
        struct cell value = batch->values[i];
        int status = value.tag == CELL_ROW ? read_row(timestamps, batch, value, &batch->times[i])
                                           : read_other(timestamps, batch, value, &batch->times[i]);
        if (status < 0) {
            *failed = i;
            return status;
        }
        i++;
    }
    return 0;
}
