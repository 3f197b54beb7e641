/*
 * Tables to lines of fields. The columns are those that the author names, else those
 * of the first record; each gives its fields by name, and what it lacks is empty. For rows of one shape, where
 * their fields go is looked up once, while it lasts. A packed map (of too many fields
 * or shapes) is looked through: its keys have an order, so the next one mostly
 * belongs to the next column.
 */
#include "codec/csv.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/bytes.h"
#include "codec/json.h"
#include "codec/msgpack.h"
#include "codec/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct encoder {
    struct csv_dialect dialect;
    struct slice *columns;          /* their names, owned; NULL before the first record */
    uint32_t count;
    bool given;                     /* by the author */
    bool fixed;                     /* the columns stay: they were given, or something was written */
    uint32_t shape;                 /* that `fields` is for; SHAPE_NONE: none */
    int *fields;                    /* for each column, the field of the shape or -1 */
    struct cell *values;            /* for each column, its value in a packed map, of which the bytes are unpacked */
    struct arena unpacked;
    struct buffer json;
};

static void columns_forget(struct encoder *encoder)
{
    for (uint32_t i = 0; i < encoder->count; i++)
        free((char *)encoder->columns[i].data);
    free(encoder->columns);
    free(encoder->fields);
    free(encoder->values);
    encoder->columns = NULL;
    encoder->count = 0;
}

/* Room for so many columns; their names are to come. */
static int columns_begin(struct encoder *encoder, uint32_t count)
{
    if (count == 0 || count > CSV_COLUMNS_MAX)
        return error_set(ERROR_FORMAT, "the format \"csv\" writes tables with 1 to %d named fields", CSV_COLUMNS_MAX);
    columns_forget(encoder);
    encoder->columns = memory_new_zeroed(count, sizeof encoder->columns[0]);
    encoder->fields = memory_new_zeroed(count, sizeof encoder->fields[0]);
    encoder->values = memory_new_zeroed(count, sizeof encoder->values[0]);
    encoder->count = count;
    encoder->shape = SHAPE_NONE;
    return 0;
}

/* The columns that the author gave. */
static int columns_of_options(struct encoder *encoder, const struct options *options)
{
    uint32_t count = options_count(options, "names");
    int status = csv_names_check(options);
    if (status == 0 && count > 0)
        status = columns_begin(encoder, count);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        const char *name = options_element(options, "names", i);
        encoder->columns[i] = slice_of(memory_copy_text(name), strlen(name));
    }
    encoder->fixed = encoder->given = count > 0;
    return status;
}

void csv_encoder_close(struct encoder *encoder)
{
    columns_forget(encoder);
    arena_deinit(&encoder->unpacked);
    buffer_deinit(&encoder->json);
    free(encoder);
}

int csv_encoder_open(const struct options *options, struct encoder **encoder)
{
    struct csv_dialect dialect;
    int status = csv_dialect_of(options, &dialect);
    if (status == 0 && options_count(options, "columns") > 0)
        status = error_set(ERROR_ARGUMENT, "option 'columns' is of a source: what a sink writes has its type already");
    if (status == 0 && dialect.multiline)
        status = error_set(ERROR_ARGUMENT, "option 'multiline' is of a source: a sink writes texts with line ends in quotes");
    if (status < 0)
        return status;
    struct encoder *opened = memory_new_zeroed(1, sizeof *opened);
    opened->dialect = dialect;
    arena_init(&opened->unpacked);
    status = columns_of_options(opened, options);
    if (status < 0)
        csv_encoder_close(opened);
    else
        *encoder = opened;
    return status;
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

static int no_table(void)
{
    return error_set(ERROR_FORMAT, "the format \"csv\" writes tables with named fields");
}

/* The column of this name, which is mostly `next`. ERROR_FORMAT: there is none. */
static int64_t column_of(const struct encoder *encoder, struct slice name, uint32_t next)
{
    if (next < encoder->count && slice_equal(encoder->columns[next], name))
        return next;
    for (uint32_t i = 0; i < encoder->count; i++) {
        if (slice_equal(encoder->columns[i], name))
            return i;
    }
    return error_set(ERROR_FORMAT, "field '%.*s' is not among the columns, which are those %s", (int)name.bytes, name.data,
                     encoder->given ? "of option 'names'" : "of the first record (option 'names' gives them)");
}

/* Where the columns are in rows of this shape. ERROR_FORMAT: it has a field that is no column. */
static int find_fields(struct encoder *encoder, const struct shape *shape)
{
    if (encoder->shape == shape->id)
        return 0;
    encoder->shape = SHAPE_NONE;
    for (uint32_t i = 0; i < encoder->count; i++)
        encoder->fields[i] = -1;
    int64_t column = -1;
    for (uint32_t i = 0; i < shape->count; i++) {
        column = column_of(encoder, shape->names[i], (uint32_t)(column + 1));
        if (column < 0)
            return (int)column;
        encoder->fields[column] = (int)i;
    }
    encoder->shape = shape->id;
    return 0;
}

/* The columns of this map, in their order. ERROR_FORMAT: it has a field that is no column, or something is no name. */
static int find_values(struct encoder *encoder, struct slice packed)
{
    uint32_t pairs;
    int64_t column = -1;
    if (msgpack_read_map(&packed, &pairs) < 0)
        return no_table();
    memset(encoder->values, 0, encoder->count * sizeof encoder->values[0]); /* absent */
    arena_clear(&encoder->unpacked);
    for (; pairs > 0; pairs--) {
        struct slice name;
        if (msgpack_read_string(&packed, &name) < 0)
            return no_table();
        column = column_of(encoder, name, (uint32_t)(column + 1));
        int status = column < 0 ? (int)column : msgpack_read_cell(&packed, &encoder->unpacked, &encoder->values[column]);
        if (status < 0)
            return status;
    }
    encoder->shape = SHAPE_NONE;
    for (uint32_t i = 0; i < encoder->count; i++)
        encoder->fields[i] = (int)i;
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
    bool row = record.tag == CELL_ROW;
    if (!row && record.tag != CELL_PACKED)
        return no_table();
    int status = row ? find_fields(encoder, shape_get(record.length)) : find_values(encoder, slice_of(bytes + record.offset, record.length));
    if (status < 0)
        return status;
    const struct cell *fields = row ? (const struct cell *)(const void *)(bytes + record.offset) : encoder->values;
    bytes = row ? bytes : encoder->unpacked.bytes;
    size_t start = out->bytes;
    for (uint32_t i = 0; i < encoder->count; i++) {
        if (i > 0)
            buffer_append_byte(out, (uint8_t)encoder->dialect.delimiter);
        status = encoder->fields[i] < 0 ? 0 : write_field(encoder, out, fields[encoder->fields[i]], bytes);
        if (status < 0)
            return error_wrap(status, "field '%.*s'", (int)encoder->columns[i].bytes, encoder->columns[i].data);
    }
    line_end(out, start);
    return 0;
}

static int columns_of_map(struct encoder *encoder, struct slice packed)
{
    uint32_t count;
    int status = msgpack_read_map(&packed, &count) < 0 ? no_table() : columns_begin(encoder, count);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        struct slice name;
        status = msgpack_read_string(&packed, &name) < 0 ? no_table() : msgpack_skip(&packed);
        if (status == 0)
            encoder->columns[i] = slice_of(memory_copy(name.data, name.bytes), name.bytes);
    }
    if (status < 0)
        columns_forget(encoder);
    return status;
}

static int columns_of_shape(struct encoder *encoder, const struct shape *shape)
{
    int status = columns_begin(encoder, shape->count);
    for (uint32_t i = 0; status == 0 && i < shape->count; i++)
        encoder->columns[i] = slice_of(memory_copy(shape->names[i].data, shape->names[i].bytes), shape->names[i].bytes);
    return status;
}

/* The columns are those of this record. */
static int set_columns(struct encoder *encoder, struct cell record, const char *bytes)
{
    if (record.tag == CELL_ROW)
        return columns_of_shape(encoder, shape_get(record.length));
    return record.tag == CELL_PACKED ? columns_of_map(encoder, slice_of(bytes + record.offset, record.length)) : no_table();
}

int csv_encode_begin_file(struct encoder *encoder, const struct batch *batch, struct buffer *out)
{
    int status = encoder->fixed || batch->count == 0 ? 0 : set_columns(encoder, batch->values[0], batch->arena.bytes);
    if (status < 0 || !encoder->dialect.header || encoder->columns == NULL)
        return status;
    size_t start = out->bytes;
    for (uint32_t i = 0; i < encoder->count; i++) {
        if (i > 0)
            buffer_append_byte(out, (uint8_t)encoder->dialect.delimiter);
        write_name(out, encoder->columns[i], encoder->dialect.delimiter);
    }
    line_end(out, start);
    return 0;
}

int csv_encode(struct encoder *encoder, const struct batch *batch, int32_t from, int32_t to, struct buffer *out, int32_t *failed)
{
    for (int32_t i = from; i < to; i++) {
        size_t start = out->bytes;
        int status = encoder->columns == NULL ? set_columns(encoder, batch->values[i], batch->arena.bytes) : 0;
        if (status == 0)
            status = write_record(encoder, out, batch->values[i], batch->arena.bytes);
        if (status < 0) {
            out->bytes = start;
            *failed = i;
            return status;
        }
        encoder->fixed = true;
    }
    return 0;
}
