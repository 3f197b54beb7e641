#include "codec/lines.h"

#include "base/error.h"

/* How much of a line that is too long is shown. */
#define SHOWN_BYTES_MAX 256

void lines_init(struct lines *lines)
{
    *lines = (struct lines){ 0 };
}

void lines_deinit(struct lines *lines)
{
    buffer_deinit(&lines->last);
}

void lines_begin_file(struct lines *lines)
{
    lines->at_begin = true;
    lines->skipping = false;
}

void lines_consume(struct decode_input *input, size_t bytes, uint64_t count)
{
    /* The newline of a completed last line is not in the input. */
    size_t there = bytes < input->bytes.bytes ? bytes : input->bytes.bytes;
    input->bytes = slice_of(input->bytes.data + there, input->bytes.bytes - there);
    input->lines += count;
}

void lines_skip_mark(struct lines *lines, struct decode_input *input)
{
    bool first = lines->at_begin && input->lines == 0 && input->records == 0;
    if (first && input->bytes.bytes < 3)
        return;              /* the mark may be torn */
    lines->at_begin = false;
    if (first && memcmp(input->bytes.data, "\xef\xbb\xbf", 3) == 0)
        lines_consume(input, 3, 0);
}

int lines_fail(const struct decode_input *input, const struct lines_block *block, const char *from, size_t bytes, uint64_t lines_before, int code,
               struct decode_error *error)
{
    struct slice bad = slice_of(input->bytes.data + (from - block->text), bytes);
    *error = (struct decode_error){ code, input->lines + lines_before + 1, bad, error_message() };
    return code;
}

/* Drop the rest of a line that was refused. */
static void skip(struct lines *lines, struct decode_input *input)
{
    const char *end = input->bytes.bytes == 0 ? NULL : memchr(input->bytes.data, '\n', input->bytes.bytes);
    size_t bytes = end == NULL ? input->bytes.bytes : (size_t)(end - input->bytes.data) + 1;
    lines->skipping = end == NULL && !input->at_end;
    lines_consume(input, bytes, end == NULL ? 0 : 1);
}

static int refuse(struct lines *lines, struct decode_input *input, struct decode_error *error)
{
    int code = error_set(ERROR_TOO_LARGE, "a line of more than %d bytes", RECORD_BYTES_MAX);
    struct slice shown = slice_of(input->bytes.data, SHOWN_BYTES_MAX);
    *error = (struct decode_error){ code, input->lines + 1, shown, error_message() };
    input->records++;
    skip(lines, input);
    return code;
}

/* Bytes up to and with the last newline within `wanted` bytes, or else the first one behind; 0: none. */
static size_t whole_lines(struct slice text, size_t wanted)
{
    size_t window = wanted < text.bytes ? wanted : text.bytes;
    const char *end = window == 0 ? NULL : memrchr(text.data, '\n', window);
    if (end == NULL && window < text.bytes)
        end = memchr(text.data + window, '\n', text.bytes - window);
    return end == NULL ? 0 : (size_t)(end - text.data) + 1;
}

static void complete_last(struct lines *lines, const struct decode_input *input, struct lines_block *block)
{
    buffer_clear(&lines->last);
    buffer_append_slice(&lines->last, input->bytes);
    buffer_append_byte(&lines->last, '\n');
    memset(buffer_reserve(&lines->last, LINES_PADDING), 0, LINES_PADDING);
    *block = (struct lines_block){ lines->last.data, lines->last.bytes };
}

int lines_next(struct lines *lines, struct decode_input *input, size_t wanted, struct lines_block *block, struct decode_error *error)
{
    if (lines->skipping)
        skip(lines, input);
    size_t bytes = whole_lines(input->bytes, wanted);
    *block = (struct lines_block){ input->bytes.data, bytes };
    bool one_line = bytes == 0 || bytes > wanted;
    if (one_line && (bytes == 0 ? input->bytes.bytes : bytes - 1) > RECORD_BYTES_MAX)
        return refuse(lines, input, error);
    if (bytes == 0 && input->at_end && input->bytes.bytes > 0)
        complete_last(lines, input, block);
    return 0;
}

void lines_all(struct lines *lines, const struct decode_input *input, struct lines_block *block)
{
    struct slice text = input->bytes;
    *block = (struct lines_block){ text.data, whole_lines(text, text.bytes) };
    if (input->at_end && block->bytes < text.bytes)
        complete_last(lines, input, block);
}
