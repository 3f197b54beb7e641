#include "codec/csv.h"

#include "base/error.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* More would not fit into a batch. */
#define BLOCK_BYTES (2 * BATCH_BYTES_SOFT)

struct decoder {
    struct options *options;
    struct csv_dialect dialect;
    struct csv_columns columns;   /* none before a file's first line was seen */
    struct cell *fields;          /* of one record, in their places */
    struct lines lines;
    struct buffer space;
};

int csv_dialect_of(const struct options *options, struct csv_dialect *dialect)
{
    const char *delimiter = options_text(options, "delimiter");
    if (delimiter == NULL)
        delimiter = ",";
    if (strlen(delimiter) != 1 || strchr("\"\r\n+-.", *delimiter) != NULL || isalnum((unsigned char)*delimiter))
        return error_set(ERROR_ARGUMENT, "option 'delimiter' is one byte, and no quote, line end, letter, or what numbers are written with");
    bool header = !options_has(options, "header") || options_bool(options, "header");
    *dialect = (struct csv_dialect){ *delimiter, header, options_bool(options, "multiline") };
    return 0;
}

static int decoder_open(const struct options *options, struct decoder **decoder)
{
    struct csv_dialect dialect;
    int status = csv_dialect_of(options, &dialect);
    if (status == 0)
        status = csv_columns_check(options, dialect.header);
    if (status < 0)
        return status;
    struct decoder *opened = memory_new_zeroed(1, sizeof *opened);
    opened->options = options_copy(options);
    opened->dialect = dialect;
    lines_init(&opened->lines);
    buffer_init(&opened->space);
    *decoder = opened;
    return 0;
}

static void decoder_close(struct decoder *decoder)
{
    options_free(decoder->options);
    csv_columns_deinit(&decoder->columns);
    free(decoder->fields);
    lines_deinit(&decoder->lines);
    buffer_deinit(&decoder->space);
    free(decoder);
}

/* The fields of the line at the cursor, appended to `text` one behind the other; `ends` has where each ends. */
static int split_line(struct csv_cursor *cursor, const struct csv_dialect *dialect, struct buffer *text, struct buffer *ends)
{
    for (;; cursor->at++) {
        struct slice field;
        bool quoted;
        int status = csv_take_text(cursor, dialect, &field, &quoted);
        if (status < 0)
            return status;
        buffer_append_slice(text, field);
        buffer_append(ends, &text->bytes, sizeof text->bytes);
        if (ends->bytes / sizeof text->bytes > CSV_COLUMNS_MAX)
            return error_set(ERROR_FORMAT, "not CSV: more than %d columns", CSV_COLUMNS_MAX);
        if (*cursor->at == '\n')
            return 0;
    }
}

/* The name of column `index` of a file without a header. */
static struct slice name_without_header(const struct decoder *decoder, uint32_t index, char *space, size_t bytes)
{
    const char *given = options_element(decoder->options, "names", index);
    if (given != NULL)
        return slice_of_text(given);
    snprintf(space, bytes, "c%u", index + 1);
    return slice_of_text(space);
}

static int make_columns(struct decoder *decoder, const struct buffer *text, const struct buffer *ends)
{
    enum { NAME_BYTES_MAX = 16 };
    uint32_t count = (uint32_t)(ends->bytes / sizeof(size_t)), named = options_count(decoder->options, "names");
    if (!decoder->dialect.header && named > 0 && named != count)
        return error_set(ERROR_FORMAT, "%u fields where option 'names' has %u", count, named);
    struct slice *names = memory_new(count * sizeof *names);
    char *made = memory_new((size_t)count * NAME_BYTES_MAX);
    for (size_t i = 0, begin = 0; i < count; i++) {
        size_t end;
        memcpy(&end, ends->data + i * sizeof end, sizeof end);
        names[i] = decoder->dialect.header ? slice_of(text->data + begin, end - begin)
                                           : name_without_header(decoder, (uint32_t)i, made + i * NAME_BYTES_MAX, NAME_BYTES_MAX);
        begin = end;
    }
    int status = csv_columns_make(&decoder->columns, names, count, decoder->options);
    free(decoder->fields);
    decoder->fields = memory_new_zeroed(count, sizeof decoder->fields[0]);
    free(names);
    free(made);
    return status;
}

/* Know the columns from the line at the cursor, which is left at its newline. */
static int learn_columns(struct decoder *decoder, struct csv_cursor *cursor)
{
    struct buffer text, ends;
    buffer_init(&text);
    buffer_init(&ends);
    int status = split_line(cursor, &decoder->dialect, &text, &ends);
    if (status == 0)
        status = make_columns(decoder, &text, &ends);
    buffer_deinit(&text);
    buffer_deinit(&ends);
    return status;
}

static int next_block(struct decoder *decoder, struct decode_input *input, size_t wanted, struct lines_block *block, struct decode_error *error)
{
    if (!decoder->dialect.multiline)
        return lines_next(&decoder->lines, input, wanted, block, error);
    lines_all(&decoder->lines, input, block);
    return 0;
}

static uint64_t count_lines(const char *from, const char *to)
{
    uint64_t count = 0;
    for (; from < to && (from = memchr(from, '\n', (size_t)(to - from))) != NULL; from++)
        count++;
    return count;
}

static bool is_blank(const char *line)
{
    return *line == '\n' || (*line == '\r' && line[1] == '\n');
}

static int next_line_block(struct decoder *decoder, struct decode_input *input, struct lines_block *block, struct decode_error *error)
{
    for (;;) {
        int status = next_block(decoder, input, 1, block, error);
        if (status < 0 || block->bytes == 0 || !is_blank(block->text))
            return status;
        lines_consume(input, 1 + (*block->text == '\r'), 1);
    }
}

/* Read the first line of a file that is not blank, if it is there as a whole. A header is consumed. */
static int begin(struct decoder *decoder, struct decode_input *input, struct decode_error *error)
{
    struct lines_block block;
    lines_skip_mark(&decoder->lines, input);
    int status = next_line_block(decoder, input, &block, error);
    if (status < 0 || block.bytes == 0)
        return status;
    struct csv_cursor cursor = { block.text, block.text + block.bytes, &decoder->space, false };
    status = learn_columns(decoder, &cursor);
    if (cursor.torn && !input->at_end)
        return 0;
    const char *end = memchr(cursor.at, '\n', (size_t)(cursor.stop - cursor.at)) + 1;
    if (status < 0) {
        lines_fail(input, &block, block.text, (size_t)(end - block.text) - 1, 0, status, error);
        input->records++;
    }
    if (status < 0 || decoder->dialect.header)
        lines_consume(input, (size_t)(end - block.text), count_lines(block.text, end));
    return status;
}

static int decoder_begin_file(struct decoder *decoder, struct decode_input *input)
{
    struct decode_error error;
    csv_columns_deinit(&decoder->columns);
    lines_begin_file(&decoder->lines);
    return begin(decoder, input, &error);
}

/* Answers a negative code for a bad record; the cursor is behind it unless it is torn. */
static int decode_record(struct decoder *decoder, struct csv_cursor *cursor, struct batch *batch)
{
    const char *start = cursor->at;
    size_t used = batch->arena.used;
    int status = csv_read_record(cursor, &decoder->dialect, &decoder->columns, decoder->fields, &batch->arena, &batch->values[batch->count]);
    if (status == 0 && cursor->at - start > RECORD_BYTES_MAX)
        status = error_set(ERROR_TOO_LARGE, "a record of more than %d bytes", RECORD_BYTES_MAX);
    if (status < 0)
        batch->arena.used = used;
    else
        batch->times[batch->count++] = TIME_NONE;
    return status;
}

/* A record that goes on behind the block: more of it may come, or it is bad and ends with its first line. */
static bool waits(const struct csv_cursor *cursor, const char *start, const struct decode_input *input)
{
    return cursor->torn && !input->at_end && cursor->stop - start <= RECORD_BYTES_MAX;
}

/* What was taken of a block. */
struct progress { uint64_t records, lines; const char *start; /* of the last record */ };

/* Take records of the block until the batch is full or one is bad: then its code is answered, and its lines are not counted. */
static int decode_records(struct decoder *decoder, struct csv_cursor *cursor, struct batch *batch, struct progress *progress)
{
    while (cursor->at < cursor->stop && !batch_full(batch)) {
        const char *start = cursor->at;
        progress->start = start;
        if (is_blank(start)) {
            cursor->at += 1 + (*start == '\r');
            progress->lines++;
            continue;
        }
        int status = decode_record(decoder, cursor, batch);
        if (status < 0)
            return status;
        progress->records++;
        progress->lines += decoder->dialect.multiline ? count_lines(start, cursor->at) : 1;
    }
    return 0;
}

/* Decode one block. Answers a negative code, 1 or 0: there is no whole record. */
static int decode_block(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    struct lines_block block;
    int status = next_block(decoder, input, BLOCK_BYTES, &block, error);
    if (status < 0 || block.bytes == 0)
        return status;
    struct csv_cursor cursor = { block.text, block.text + block.bytes, &decoder->space, false };
    struct progress progress = { 0, 0, cursor.at };
    status = decode_records(decoder, &cursor, batch, &progress);
    bool waiting = status < 0 && waits(&cursor, progress.start, input);
    if (waiting) {
        cursor.at = progress.start;
    } else if (status < 0) {
        if (cursor.torn)
            cursor.at = lines_end(progress.start, &block) + 1;
        lines_fail(input, &block, progress.start, (size_t)(cursor.at - progress.start) - 1, progress.lines, status, error);
        progress.records++;
        progress.lines += count_lines(progress.start, cursor.at);
    }
    input->records += progress.records;
    lines_consume(input, (size_t)(cursor.at - block.text), progress.lines);
    return waiting ? 0 : status < 0 ? status : 1;
}

static int decode(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    if (decoder->columns.count == 0) {
        int begun = begin(decoder, input, error);
        if (begun < 0 || decoder->columns.count == 0)
            return begun;
    }
    int status = 1;
    while (status > 0 && !batch_full(batch))
        status = decode_block(decoder, input, batch, error);
    return status < 0 ? status : 0;
}

static bool can_split(const struct options *options)
{
    return !options_bool(options, "multiline");
}

static const struct option_spec specs[] = {
    { "header", OPTION_BOOL, false, "true", "The first line of a file has the names of its columns." },
    { "names", OPTION_TEXTS, false, NULL, "The columns in order: of files without a header (else c1, c2, ...), and to write (else those of the first record)." },
    { "columns", OPTION_PAIRS, false, NULL, "Types of columns: name = \"integer\", \"number\", \"string\" or \"boolean\"; numbers are recognised in all others." },
    { "delimiter", OPTION_TEXT, false, ",", "One byte between fields." },
    { "multiline", OPTION_BOOL, false, "false", "Quoted fields may hold line ends; a file is then read by one subtask." },
    { 0 },
};

const struct format_vtab format_csv = {
    .name = "csv",
    .options = specs,
    .decoder_open = decoder_open,
    .decode = decode,
    .decoder_begin_file = decoder_begin_file,
    .splittable = true,
    .has_header = true,
    .decoder_close = decoder_close,
    .encoder_open = csv_encoder_open,
    .encode_begin_file = csv_encode_begin_file,
    .encode = csv_encode,
    .encoder_close = csv_encoder_close,
    .file_extension = ".csv",
    .can_split = can_split,
};
