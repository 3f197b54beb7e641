/*
 * The "json" format: a document a line. The index of tokens is made for a block of
 * lines at once; how large it is follows from how much the batch can still take,
 * since what does not fit is indexed again. Where a block has no index because one
 * of its lines is bad, each line gets its own.
 */
#include "codec/json.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/json_index.h"
#include "codec/json_walk.h"
#include "codec/lines.h"

#include <stdlib.h>

/* A block and its index stay in the first two levels of cache. */
#define BLOCK_BYTES_MAX (32 * 1024)
#define BLOCK_BYTES_MIN 1024

struct decoder {
    struct json_index *index;
    struct lines lines;
    double input_per_arena;    /* bytes of text for each byte of arena, lately */
    double input_per_record;
};

/* Where decode() is in a block. */
struct progress {
    struct lines_block block;
    struct json_walk walk;     /* of the whole block, if it has an index */
    bool indexed;
    const char *at;            /* the line to decode */
    uint64_t lines, records;   /* of the block, before it */
};

static int decoder_open(const struct options *options, struct decoder **decoder)
{
    (void)options;
    struct decoder *opened = memory_new_zeroed(1, sizeof *opened);
    opened->index = json_index_new();
    opened->input_per_arena = 0.5;
    opened->input_per_record = 64;
    lines_init(&opened->lines);
    *decoder = opened;
    return 0;
}

static void decoder_close(struct decoder *decoder)
{
    json_index_free(decoder->index);
    lines_deinit(&decoder->lines);
    free(decoder);
}

static int decoder_begin_file(struct decoder *decoder, struct decode_input *input)
{
    (void)input;
    lines_begin_file(&decoder->lines);
    return 0;
}

/* What the batch can take, in bytes of text. */
static size_t block_wanted(const struct decoder *decoder, const struct batch *batch)
{
    double by_arena = (double)(BATCH_BYTES_SOFT - batch->arena.used) * decoder->input_per_arena;
    double by_count = (double)(BATCH_RECORDS_MAX - batch->count) * decoder->input_per_record;
    double wanted = by_arena < by_count ? by_arena : by_count;
    if (wanted < BLOCK_BYTES_MIN)
        return BLOCK_BYTES_MIN;
    return wanted > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : (size_t)wanted;
}

static void learn(struct decoder *decoder, const struct progress *progress, size_t arena_bytes)
{
    double text_bytes = (double)(progress->at - progress->block.text);
    if (progress->records == 0)
        return;
    decoder->input_per_record = text_bytes / (double)progress->records;
    decoder->input_per_arena = text_bytes / ((double)arena_bytes + 1);
}

/* A line with an index of its own. Answers 1 for a record, 0 for a blank line. */
static int decode_alone(struct decoder *decoder, const char *line, const char *end, struct arena *arena, struct cell *cell)
{
    const uint32_t *positions = json_index_scan(decoder->index, line, (size_t)(end - line));
    if (positions == NULL)
        return ERROR_FORMAT;
    struct json_walk walk = { line, positions, (uint32_t)(end - line), arena };
    if (*walk.at >= walk.end)
        return 0;
    int status = json_walk_document(&walk, cell);
    return status < 0 ? status : 1;
}

/* The line at progress->at, which ends at `end`. Answers 1 for a record, 0 for a blank line. */
static int decode_line(struct decoder *decoder, struct progress *progress, const char *end, struct batch *batch)
{
    struct cell *cell = &batch->values[batch->count];
    if (!progress->indexed)
        return decode_alone(decoder, progress->at, end, &batch->arena, cell);
    struct json_walk *walk = &progress->walk;
    walk->end = (uint32_t)(end - progress->block.text);
    if (*walk->at >= walk->end)
        return 0;
    int status = json_walk_document(walk, cell);
    return status < 0 ? status : 1;
}

static int decode_lines(struct decoder *decoder, const struct decode_input *input, struct progress *progress, struct batch *batch, struct decode_error *error)
{
    const char *stop = progress->block.text + progress->block.bytes;
    int status = 0;
    while (progress->at < stop && !batch_full(batch) && status >= 0) {
        const char *line = progress->at;
        const char *end = lines_end(line, &progress->block);
        size_t used = batch->arena.used;
        status = decode_line(decoder, progress, end, batch);
        if (status < 0) {
            batch->arena.used = used;
            lines_fail(input, &progress->block, line, (size_t)(end - line), progress->lines, status, error);
        } else if (status > 0) {
            batch->times[batch->count++] = TIME_NONE;
        }
        progress->records += status != 0;
        progress->lines++;
        progress->at = end + 1;
    }
    return status < 0 ? status : 0;
}

/* Decode one block. Answers a negative code, 1 or 0: there is no whole line. */
static int decode_block(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    struct progress progress = { .indexed = false };
    int status = lines_next(&decoder->lines, input, block_wanted(decoder, batch), &progress.block, error);
    if (status < 0 || progress.block.bytes == 0)
        return status;
    const uint32_t *positions = json_index_scan(decoder->index, progress.block.text, progress.block.bytes);
    progress.indexed = positions != NULL;
    progress.walk = (struct json_walk){ progress.block.text, positions, 0, &batch->arena };
    progress.at = progress.block.text;
    size_t used = batch->arena.used;
    status = decode_lines(decoder, input, &progress, batch, error);
    learn(decoder, &progress, batch->arena.used - used);
    input->records += progress.records;
    lines_consume(input, (size_t)(progress.at - progress.block.text), progress.lines);
    return status < 0 ? status : 1;
}

static int decode(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    int status = 1;
    lines_skip_mark(&decoder->lines, input);
    while (status > 0 && !batch_full(batch))
        status = decode_block(decoder, input, batch, error);
    return status < 0 ? status : 0;
}

static int write_line(struct cell cell, const char *bytes, struct buffer *out)
{
    int status = json_write_cell(out, cell, bytes);
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

const struct format_vtab format_json = {
    .name = "json",
    .options = specs,
    .decoder_open = decoder_open,
    .decode = decode,
    .decoder_begin_file = decoder_begin_file,
    .splittable = true,
    .decoder_close = decoder_close,
    .encoder_open = encoder_open_stateless,
    .encode = encode,
    .encoder_close = encoder_close_stateless,
    .file_extension = ".jsonl",
};
