/*
 * One pass: a field that begins like a number is read as one at once, and only
 * where something else follows is its text looked for. The last line of a block
 * ends in a newline, so nothing but quoted fields needs a limit.
 */
#include "codec/csv.h"

#include "base/error.h"
#include "codec/bytes.h"
#include "codec/msgpack.h"
#include "codec/number.h"

#include <math.h>
#include <strings.h>

#ifdef __SSE2__
static inline const char *find_end(const char *at, char delimiter)
{
    for (;; at += BYTES_CHUNK) {
        uint32_t mask = bytes_chunk_mask(at, delimiter) | bytes_chunk_mask(at, '\n');
        if (mask != 0)
            return at + __builtin_ctz(mask);
    }
}
#else
static inline const char *find_end(const char *at, char delimiter)
{
    while (*at != delimiter && *at != '\n')
        at++;
    return at;
}
#endif

/* Does a field end at `at`? */
static inline bool at_end(const char *at, char delimiter)
{
    return *at == delimiter || *at == '\n' || (*at == '\r' && at[1] == '\n');
}

static int quote_error(struct csv_cursor *cursor, const char *at, const char *text)
{
    cursor->at = at;
    return error_set(ERROR_FORMAT, "not CSV: %s", text);
}

/* The text between `open` and `close`, with each pair of quotes as one. */
static struct slice without_pairs(struct buffer *space, const char *open, const char *close)
{
    buffer_clear(space);
    while (open < close) {
        const char *quote = memchr(open, '"', (size_t)(close - open));
        const char *end = quote == NULL ? close : quote + 1;
        buffer_append(space, open, (size_t)(end - open));
        open = quote == NULL ? close : quote + 2;
    }
    return buffer_slice(space);
}

/* The quote that ends the field whose text begins at `at`, or NULL. */
static const char *closing_quote(const char *at, const char *stop, bool *pairs)
{
    for (;;) {
        const char *quote = memchr(at, '"', (size_t)(stop - at));
        if (quote == NULL || quote[1] != '"')
            return quote;
        *pairs = true;
        at = quote + 2;
    }
}

static int take_quoted(struct csv_cursor *cursor, const struct csv_dialect *dialect, struct slice *text)
{
    const char *open = cursor->at + 1;
    const char *stop = dialect->multiline ? cursor->stop : memchr(open, '\n', (size_t)(cursor->stop - open));
    bool pairs = false;
    const char *close = closing_quote(open, stop, &pairs);
    if (close == NULL) {
        cursor->torn = dialect->multiline;
        return quote_error(cursor, stop - dialect->multiline, dialect->multiline ? "a quoted field does not end"
                           : "a quoted field does not end on its line (multiline = true allows that)");
    }
    *text = pairs ? without_pairs(cursor->space, open, close) : slice_of(open, (size_t)(close - open));
    const char *behind = close + 1;
    if (!at_end(behind, dialect->delimiter))
        return quote_error(cursor, behind, "text behind a closing quote");
    cursor->at = behind + (*behind == '\r');
    return 0;
}

int csv_take_text(struct csv_cursor *cursor, const struct csv_dialect *dialect, struct slice *text, bool *quoted)
{
    *quoted = *cursor->at == '"';
    if (*quoted)
        return take_quoted(cursor, dialect, text);
    const char *begin = cursor->at;
    const char *end = find_end(begin, dialect->delimiter);
    cursor->at = end;
    *text = slice_of(begin, (size_t)(end - begin));
    if (*end == '\n' && end > begin && end[-1] == '\r')
        text->bytes--;
    return 0;
}

static struct slice trimmed(struct slice text)
{
    while (text.bytes > 0 && text.data[0] == ' ')
        text = slice_of(text.data + 1, text.bytes - 1);
    while (text.bytes > 0 && text.data[text.bytes - 1] == ' ')
        text.bytes--;
    return text;
}

static bool is_word(struct slice text, const char *word)
{
    return text.bytes == strlen(word) && strncasecmp(text.data, word, text.bytes) == 0;
}

static bool read_boolean(struct slice text, struct cell *cell)
{
    bool truth = is_word(text, "true") || is_word(text, "t") || is_word(text, "1");
    *cell = cell_of_bool(truth);
    return truth || is_word(text, "false") || is_word(text, "f") || is_word(text, "0");
}

static int keep_text(struct arena *arena, struct slice text, struct cell *cell)
{
    char *to = bytes_room(arena, text.bytes);
    *cell = (struct cell){ .tag = CELL_STRING, .length = (uint32_t)text.bytes, .offset = arena->used };
    bytes_copy_short(to, text.data, text.bytes);
    arena->used += text.bytes;
    return 0;
}

static int convert(const struct csv_column *column, struct slice text, bool quoted, struct arena *arena, struct cell *cell)
{
    static const char *const names[] = { "", "an integer", "a number", "", "a boolean" };
    bool is_text = column->type == CSV_ANY || column->type == CSV_STRING;
    if (text.bytes == 0 && !(quoted && is_text)) {
        *cell = (struct cell){ .tag = CELL_NULL };
        return 0;
    }
    if (is_text)
        return keep_text(arena, text, cell);
    struct slice word = trimmed(text);
    bool fits = column->type == CSV_BOOLEAN ? read_boolean(word, cell)
                : column->type == CSV_INTEGER ? number_parse_integer(word.data, word.data + word.bytes, cell)
                                              : number_parse_any(word.data, word.data + word.bytes, cell);
    if (fits)
        return 0;
    return error_set(ERROR_FORMAT, "column '%.*s': '%.*s' is not %s", (int)column->name.bytes, column->name.data,
                     (int)(text.bytes < 40 ? text.bytes : 40), text.data, names[column->type]);
}

/* Whole numbers of more digits than 64 bits hold are names of something, not amounts: they stay text. */
static bool is_long_name(const char *at, const char *end, struct cell cell)
{
    if (cell.tag != CELL_NUMBER || fabs(cell.number) < 9.2e18)
        return false;
    for (at += *at == '-'; at < end && number_is_digit(*at); at++)
        ;
    return at == end;
}

/* A number in a column that may hold one. */
static inline bool read_number(struct csv_cursor *cursor, char delimiter, struct cell *cell)
{
    if (!number_is_digit(*cursor->at) && *cursor->at != '-')
        return false;
    const char *end = number_read(cursor->at, cell);
    if (end == NULL || !at_end(end, delimiter) || is_long_name(cursor->at, end, *cell))
        return false;
    cursor->at = end + (*end == '\r');
    return true;
}

static inline int read_field(struct csv_cursor *cursor, const struct csv_dialect *dialect, const struct csv_column *column, struct arena *arena,
                             struct cell *cell)
{
    bool numeric = column->type == CSV_ANY || column->type == CSV_NUMBER;
    if (numeric && read_number(cursor, dialect->delimiter, cell))
        return 0;
    struct slice text;
    bool quoted;
    int status = csv_take_text(cursor, dialect, &text, &quoted);
    return status < 0 ? status : convert(column, text, quoted, arena, cell);
}

/* Step over the rest of a record. Answers its fields, or where its quotes do not match: ERROR_FORMAT. */
static int64_t skip_fields(struct csv_cursor *cursor, const struct csv_dialect *dialect)
{
    int64_t count = 0;
    while (*cursor->at != '\n') {
        struct slice text;
        bool quoted;
        cursor->at++;
        count++;
        int status = csv_take_text(cursor, dialect, &text, &quoted);
        if (status < 0)
            return status;
    }
    return count;
}

static int finish_bad(struct csv_cursor *cursor, const struct csv_dialect *dialect, int status, bool matched)
{
    if (!matched || cursor->torn || skip_fields(cursor, dialect) < 0)
        cursor->at = memchr(cursor->at, '\n', (size_t)(cursor->stop - cursor->at));
    cursor->at++;
    return status;
}

/* Fields in the order of the file into their places. On an error the cursor is behind the record's line. */
static int read_fields(struct csv_cursor *cursor, const struct csv_dialect *dialect, const struct csv_columns *columns, struct cell *fields,
                       struct arena *arena)
{
    for (uint32_t i = 0;; cursor->at++) {
        const struct csv_column *column = &columns->list[i];
        const char *before = cursor->at;
        int status = read_field(cursor, dialect, column, arena, &fields[column->place]);
        bool ended = *cursor->at == '\n';
        if (status < 0)
            return finish_bad(cursor, dialect, status, cursor->at > before && at_end(cursor->at, dialect->delimiter));
        i++;
        if (ended && i == columns->count)
            return 0;
        if (!ended && i < columns->count)
            continue;
        int64_t more = ended ? 0 : skip_fields(cursor, dialect);
        status = more < 0 ? (int)more : error_set(ERROR_FORMAT, "%lld fields where there are %u columns", (long long)i + (long long)more, columns->count);
        return finish_bad(cursor, dialect, status, more >= 0);
    }
}

static void pack(const struct csv_columns *columns, const struct cell *fields, struct arena *arena, struct cell *record)
{
    struct buffer out;
    buffer_init(&out);
    msgpack_write_map(&out, columns->count);
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct csv_column *column = &columns->list[columns->sorted[i]];
        msgpack_write_string(&out, column->name);
        msgpack_write_cell(&out, fields[column->place], arena->bytes);
    }
    *record = (struct cell){ .tag = CELL_PACKED, .length = (uint32_t)out.bytes, .offset = arena_append(arena, out.data, out.bytes) };
    buffer_deinit(&out);
}

int csv_read_record(struct csv_cursor *cursor, const struct csv_dialect *dialect, const struct csv_columns *columns, struct cell *fields,
                    struct arena *arena, struct cell *record)
{
    int status = read_fields(cursor, dialect, columns, fields, arena);
    if (status < 0)
        return status;
    cursor->at++;
    if (columns->shape == SHAPE_NONE) {
        pack(columns, fields, arena, record);
        return 0;
    }
    uint64_t row = arena_allocate(arena, columns->count * sizeof *fields);
    memcpy(arena_at(arena, row), fields, columns->count * sizeof *fields);
    *record = (struct cell){ .tag = CELL_ROW, .length = columns->shape, .offset = row };
    return 0;
}
