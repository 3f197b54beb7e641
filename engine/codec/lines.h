/*
 * Lines of an input: what the formats whose records are lines share.
 *
 * Owner    lines_init() on the decoder's memory, lines_deinit() frees.
 */
#pragma once

#include "base/buffer.h"
#include "codec/format.h"

/* This many bytes behind a block may be read. */
#define LINES_PADDING 64

struct lines {
    bool at_begin;        /* of a file: a byte order mark may stand there */
    bool skipping;        /* the rest of a line that is too long is still to come */
    struct buffer last;   /* a last line without its end, completed */
};

/* Whole lines at the front of the input. */
struct lines_block {
    const char *text;
    size_t bytes;         /* the last byte is a newline; 0: there is no whole line */
};

void lines_init(struct lines *lines);
void lines_deinit(struct lines *lines);
/* Another file begins: nothing that was left of the one before it is waited for. */
void lines_begin_file(struct lines *lines);

/*
 * The whole lines within the next `wanted` bytes, or the next line if it is longer.
 * ERROR_TOO_LARGE, described in *error: a line beyond RECORD_BYTES_MAX has been
 * consumed; the call may be repeated.
 */
int lines_next(struct lines *lines, struct decode_input *input, size_t wanted, struct lines_block *block, struct decode_error *error);

/* All whole lines of the input, and at its end the last one without its end too: for records of several lines. Nothing is refused here. */
void lines_all(struct lines *lines, const struct decode_input *input, struct lines_block *block);

/* Step over a byte order mark at the beginning of a file of text. */
void lines_skip_mark(struct lines *lines, struct decode_input *input);

/* Move the input behind `bytes` of the block, in which there were `count` lines. */
void lines_consume(struct decode_input *input, size_t bytes, uint64_t count);

/* Describe the line at [from, from + bytes) of the block, `lines_before` of which are not consumed yet. Answers `code`. */
int lines_fail(const struct decode_input *input, const struct lines_block *block, const char *from, size_t bytes, uint64_t lines_before, int code,
               struct decode_error *error);

/* The newline of the line at `at`, which is in a block. */
static inline const char *lines_end(const char *at, const struct lines_block *block)
{
    return memchr(at, '\n', (size_t)(block->text + block->bytes - at));
}
