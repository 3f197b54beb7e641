/*
 * The "lines" format: a line is a string of any bytes, without its LF or CRLF. A
 * value written is a line: a string as it is, a number or boolean as its text.
 */
#include "codec/lines.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/json.h"

#include <stdlib.h>

/* More would not fit into a batch. */
#define BLOCK_BYTES (2 * BATCH_BYTES_SOFT)

struct decoder {
    struct lines lines;
};

static int decoder_open(const struct options *options, struct decoder **decoder)
{
    (void)options;
    *decoder = memory_new_zeroed(1, sizeof **decoder);
    lines_init(&(*decoder)->lines);
    return 0;
}

static void decoder_close(struct decoder *decoder)
{
    lines_deinit(&decoder->lines);
    free(decoder);
}

static int decoder_begin_file(struct decoder *decoder, struct decode_input *input)
{
    (void)input;
    lines_begin_file(&decoder->lines);
    return 0;
}

static void append_line(struct batch *batch, const char *line, const char *end)
{
    size_t bytes = (size_t)(end - line);
    if (bytes > 0 && line[bytes - 1] == '\r')
        bytes--;
    uint64_t offset = arena_append(&batch->arena, line, bytes);
    batch->values[batch->count] = (struct cell){ .tag = CELL_STRING, .length = (uint32_t)bytes, .offset = offset };
    batch->times[batch->count++] = TIME_NONE;
}

/* Take the next block's lines. Answers a negative code, 1 or 0: there is no whole line. */
static int decode_block(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    struct lines_block block;
    int status = lines_next(&decoder->lines, input, BLOCK_BYTES, &block, error);
    if (status < 0 || block.bytes == 0)
        return status;
    const char *at = block.text, *stop = block.text + block.bytes;
    uint64_t count = 0;
    for (; at < stop && !batch_full(batch); count++) {
        const char *end = lines_end(at, &block);
        append_line(batch, at, end);
        at = end + 1;
    }
    input->records += count;
    lines_consume(input, (size_t)(at - block.text), count);
    return 1;
}

static int decode(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    int status = 1;
    while (status > 0 && !batch_full(batch))
        status = decode_block(decoder, input, batch, error);
    return status < 0 ? status : 0;
}

static int write_line(struct cell cell, const char *bytes, struct buffer *out)
{
    if (cell.tag == CELL_ROW || cell.tag == CELL_PACKED)
        return error_set(ERROR_FORMAT, "the format \"lines\" writes strings, numbers and booleans, not tables: use \"json\"");
    if (cell.tag == CELL_STRING)
        buffer_append(out, bytes + cell.offset, cell.length);
    int status = cell.tag == CELL_STRING ? 0 : json_write_cell(out, cell, bytes);
    if (status == 0)
        buffer_append_byte(out, '\n');
    return status;
}

static int encode(struct encoder *encoder, const struct batch *batch, int32_t from, int32_t to, struct buffer *out, int32_t *failed)
{
    (void)encoder;
    return encode_each(batch, from, to, out, failed, write_line);
}

static const struct option_spec specs[] = { { 0 } };

const struct format_vtab format_lines = {
    .name = "lines",
    .options = specs,
    .decoder_open = decoder_open,
    .decode = decode,
    .decoder_begin_file = decoder_begin_file,
    .splittable = true,
    .decoder_close = decoder_close,
    .encoder_open = encoder_open_stateless,
    .encode = encode,
    .encoder_close = encoder_close_stateless,
    .file_extension = ".txt",
};
