/*
 * The "csv" format: RFC 4180 quoting, lines that end in LF or CRLF, rows as maps.
 *
 *   header     (true) the first line of a file has the names of the columns
 *   names      of a file without a header: the names in order; default c1, c2, ...
 *              When writing: the columns; default: the fields of the first record
 *   columns    name = "integer", "number", "string" or "boolean"; a field that is not
 *              one is an error of the record
 *   delimiter  (",") one byte, which numbers and words do not hold
 *   multiline  (false) quoted fields may hold line ends; then a file is not split
 *
 * An empty field is null, `""` the empty string. In a column without a declared
 * type a field that as a whole is a JSON number is a number (so "007", "+5", hex
 * and whole numbers beyond 64 bits are strings), and one in quotes is a string.
 * Blank lines are skipped. Written fields are quoted where they would not read
 * back as they are; tables in fields are written as JSON.
 *
 * Below: what the parts of this format share; private to this floor.
 */
#pragma once

#include "codec/format.h"
#include "codec/lines.h"
#include "codec/shape.h"

/* More than any table has: a header beyond it is taken for damage. */
#define CSV_COLUMNS_MAX 16384

enum csv_type { CSV_ANY, CSV_INTEGER, CSV_NUMBER, CSV_STRING, CSV_BOOLEAN };

struct csv_column {
    struct slice name;    /* owned */
    enum csv_type type;
    uint32_t place;       /* in the row */
};

struct csv_dialect { char delimiter; bool header, multiline; };

/* ERROR_ARGUMENT: a delimiter that is not one plain byte. */
int csv_dialect_of(const struct options *options, struct csv_dialect *dialect);

/* The columns of a file, in its order. */
struct csv_columns {
    uint32_t count;
    struct csv_column *list;
    uint32_t shape;       /* SHAPE_NONE: too many columns for a row; the records are packed */
    uint32_t *sorted;     /* then: columns in the canonical order of their names */
};

void csv_columns_deinit(struct csv_columns *columns);
/* ERROR_ARGUMENT where option 'names' has a name twice. */
int csv_names_check(const struct options *options);
/* ERROR_ARGUMENT where the options 'names' and 'columns' of a reader cannot be, together or of files with a header. */
int csv_columns_check(const struct options *options, bool header);
/* Fill in from the names, which are copied, and the options' types. ERROR_FORMAT: a name twice, a type for a column that is not there. */
int csv_columns_make(struct csv_columns *columns, const struct slice *names, uint32_t count, const struct options *types);

/* A place in a block of whole lines. */
struct csv_cursor {
    const char *at;
    const char *stop;     /* behind the last newline; LINES_PADDING bytes behind it are readable */
    struct buffer *space; /* for fields with quotes in them */
    bool torn;            /* a quoted field goes on behind `stop` */
};

/*
 * The text of the field at the cursor, which is moved to the delimiter or newline
 * behind it. It points into the block or into `space`, until the next call.
 * ERROR_FORMAT: quotes that do not match; the cursor is then where that was found.
 */
int csv_take_text(struct csv_cursor *cursor, const struct csv_dialect *dialect, struct slice *text, bool *quoted);

/*
 * Read the record at the cursor, which is moved behind its line, into a cell. A
 * record with a bad field is read to its end, so that the next one can be found.
 */
int csv_read_record(struct csv_cursor *cursor, const struct csv_dialect *dialect, const struct csv_columns *columns, struct cell *fields,
                    struct arena *arena, struct cell *record);

/* The encoder's part of the table. */
int csv_encoder_open(const struct options *options, struct encoder **encoder);
int csv_encode_begin_file(struct encoder *encoder, const struct batch *batch, struct buffer *out);
int csv_encode(struct encoder *encoder, const struct batch *batch, int32_t from, int32_t to, struct buffer *out, int32_t *failed);
void csv_encoder_close(struct encoder *encoder);
