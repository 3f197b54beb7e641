/*
 * Rows to lines of fields. The columns are those of the first record; a record of
 * another shape gives its fields by name, and what it lacks is empty. For each
 * shape but the first, where its fields go is looked up once, while it lasts.
 */
#include "codec/csv.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/bytes.h"
#include "codec/json.h"
#include "codec/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct encoder {
    struct csv_dialect dialect;
    const struct shape *columns;    /* NULL before the first record */
    bool written;                   /* something was: the columns stay */
    uint32_t shape;                 /* that `fields` is for */
    int fields[SHAPE_FIELDS_MAX];   /* for each column, the field of the shape or -1 */
    struct buffer json;
};

int csv_encoder_open(const struct options *options, struct encoder **encoder)
{
    static const char *const of_readers[] = { "names", "columns" };
    struct csv_dialect dialect;
    int status = csv_dialect_of(options, &dialect);
    for (int i = 0; i < 2 && status == 0; i++) {
        if (options_count(options, of_readers[i]) > 0)
            status = error_set(ERROR_ARGUMENT, "option '%s' is of a source: the columns of a sink are the fields of its first record", of_readers[i]);
    }
    if (status == 0 && dialect.multiline)
        status = error_set(ERROR_ARGUMENT, "option 'multiline' is of a source: a sink writes texts with line ends in quotes");
    if (status < 0)
        return status;
    *encoder = memory_new_zeroed(1, sizeof **encoder);
    (*encoder)->dialect = dialect;
    return 0;
}

void csv_encoder_close(struct encoder *encoder)
{
    buffer_deinit(&encoder->json);
    free(encoder);
}

static void write_quoted(struct buffer *out, struct slice text)
{
    buffer_append_byte(out, '"');
    while (text.bytes > 0) {
        const char *quote = memchr(text.data, '"', text.bytes);
        size_t bytes = quote == NULL ? text.bytes : (size_t)(quote - text.data) + 1;
        buffer_append(out, text.data, bytes);
        if (quote != NULL)
            buffer_append_byte(out, '"');
        text = slice_of(text.data + bytes, text.bytes - bytes);
    }
    buffer_append_byte(out, '"');
}

static bool has_special(struct slice text, char delimiter)
{
    bool special = false;
    for (size_t i = 0; i < text.bytes; i++) {
        char byte = text.data[i];
        special |= byte == delimiter || byte == '"' || byte == '\n' || byte == '\r';
    }
    return special;
}

/*
 * Would it be read as a number without quotes? A short text is copied, to have an end of its own. A long one is not looked at:
 * quotes do it no harm.
 */
static bool may_be_number(struct slice text)
{
    char copy[512];
    struct cell cell;
    if (text.bytes == 0 || !(number_is_digit(text.data[0]) || text.data[0] == '-'))
        return false;
    if (text.bytes >= sizeof copy)
        return true;
    memcpy(copy, text.data, text.bytes);
    copy[text.bytes] = '\n';
    return number_read(copy, &cell) == copy + text.bytes;
}

static void write_string(struct buffer *out, struct slice text, char delimiter)
{
    if (text.bytes == 0 || may_be_number(text) || has_special(text, delimiter))
        write_quoted(out, text);
    else
        bytes_append_short(out, text.data, text.bytes);
}

static void write_name(struct buffer *out, struct slice name, char delimiter)
{
    if (has_special(name, delimiter))
        write_quoted(out, name);
    else
        buffer_append_slice(out, name);
}

static void write_number(struct buffer *out, struct cell cell)
{
    if (cell.tag == CELL_NUMBER && !isfinite(cell.number)) {
        const char *text = isnan(cell.number) ? "nan" : cell.number > 0 ? "inf" : "-inf";
        buffer_append(out, text, strlen(text));
        return;
    }
    out->bytes += number_write(buffer_reserve(out, NUMBER_TEXT_BYTES_MAX), cell);
}

static int write_json(struct encoder *encoder, struct buffer *out, struct cell cell, const char *bytes)
{
    buffer_clear(&encoder->json);
    int status = json_write_cell(&encoder->json, cell, bytes);
    if (status == 0)
        write_quoted(out, buffer_slice(&encoder->json));
    return status;
}

static int write_field(struct encoder *encoder, struct buffer *out, struct cell cell, const char *bytes)
{
    switch (cell.tag) {
    case CELL_ABSENT: case CELL_NULL: return 0;
    case CELL_TRUE: buffer_append(out, "true", 4); return 0;
    case CELL_FALSE: buffer_append(out, "false", 5); return 0;
    case CELL_STRING: write_string(out, slice_of(bytes + cell.offset, cell.length), encoder->dialect.delimiter); return 0;
    case CELL_NUMBER: case CELL_INT64: case CELL_UINT64: write_number(out, cell); return 0;
    default: return write_json(encoder, out, cell, bytes);
    }
}

/* Where the columns are in rows of this shape. ERROR_FORMAT: it has a field that is no column. */
static int map_fields(struct encoder *encoder, const struct shape *shape)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        if (shape_field(encoder->columns, shape->names[i]) < 0)
            return error_set(ERROR_FORMAT, "field '%.*s' is not among the columns, which are those of the first record", (int)shape->names[i].bytes,
                             shape->names[i].data);
    }
    for (uint32_t i = 0; i < encoder->columns->count; i++)
        encoder->fields[i] = shape_field(shape, encoder->columns->names[i]);
    encoder->shape = shape->id;
    return 0;
}

/* A blank line would be no record, and no header. */
static void line_end(struct buffer *out, size_t start)
{
    if (out->bytes == start)
        buffer_append(out, "\"\"", 2);
    buffer_append_byte(out, '\n');
}

static int write_record(struct encoder *encoder, struct buffer *out, struct cell record, const char *bytes)
{
    if (record.tag != CELL_ROW)
        return error_set(ERROR_FORMAT, "the format \"csv\" writes tables with up to %d named fields", SHAPE_FIELDS_MAX);
    int status = encoder->shape == record.length ? 0 : map_fields(encoder, shape_get(record.length));
    if (status < 0)
        return status;
    const struct cell *fields = (const struct cell *)(const void *)(bytes + record.offset);
    size_t start = out->bytes;
    for (uint32_t i = 0; i < encoder->columns->count; i++) {
        if (i > 0)
            buffer_append_byte(out, (uint8_t)encoder->dialect.delimiter);
        status = encoder->fields[i] < 0 ? 0 : write_field(encoder, out, fields[encoder->fields[i]], bytes);
        if (status < 0)
            return error_wrap(status, "field '%.*s'", (int)encoder->columns->names[i].bytes, encoder->columns->names[i].data);
    }
    line_end(out, start);
    return 0;
}

/* The columns are those of this record. */
static int set_columns(struct encoder *encoder, struct cell record)
{
    if (record.tag != CELL_ROW || shape_get(record.length)->count == 0)
        return error_set(ERROR_FORMAT, "the format \"csv\" writes tables with 1 to %d named fields", SHAPE_FIELDS_MAX);
    encoder->columns = shape_get(record.length);
    return map_fields(encoder, encoder->columns);
}

int csv_encode_begin_file(struct encoder *encoder, const struct batch *batch, struct buffer *out)
{
    int status = encoder->written || batch->count == 0 ? 0 : set_columns(encoder, batch->values[0]);
    if (status < 0 || !encoder->dialect.header || encoder->columns == NULL)
        return status;
    size_t start = out->bytes;
    for (uint32_t i = 0; i < encoder->columns->count; i++) {
        if (i > 0)
            buffer_append_byte(out, (uint8_t)encoder->dialect.delimiter);
        write_name(out, encoder->columns->names[i], encoder->dialect.delimiter);
    }
    line_end(out, start);
    return 0;
}

int csv_encode(struct encoder *encoder, const struct batch *batch, int32_t from, int32_t to, struct buffer *out, int32_t *failed)
{
    for (int32_t i = from; i < to; i++) {
        size_t start = out->bytes;
        int status = encoder->columns == NULL ? set_columns(encoder, batch->values[i]) : 0;
        if (status == 0)
            status = write_record(encoder, out, batch->values[i], batch->arena.bytes);
        if (status < 0) {
            out->bytes = start;
            *failed = i;
            return status;
        }
        encoder->written = true;
    }
    return 0;
}
