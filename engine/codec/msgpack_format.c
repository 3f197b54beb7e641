/*
 * The "msgpack" format: values one behind the other. They have no marks between
 * them, so behind bytes that cannot be a value nothing can be found again.
 */
#include "codec/format.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"

#include <stdlib.h>

/* Whether it is lost, its caller keeps. */
struct decoder {
    struct msgpack_walk front; /* over the value at the front, of which not all is there; zero where that is not known */
};

static int decoder_open(const struct options *options, struct decoder **decoder)
{
    (void)options;
    *decoder = memory_new_zeroed(1, sizeof **decoder);
    return 0;
}

static void decoder_close(struct decoder *decoder)
{
    free(decoder);
}

static int decoder_begin_file(struct decoder *decoder, struct decode_input *input)
{
    decoder->front = (struct msgpack_walk){ 0 };
    input->lost = false;
    return 0;
}

static void consume(struct decode_input *input, size_t bytes)
{
    input->bytes = slice_of(input->bytes.data + bytes, input->bytes.bytes - bytes);
}

static bool may_wait(const struct decode_input *input)
{
    return !input->at_end && input->bytes.bytes <= RECORD_BYTES_MAX;
}

/* More came of a value that was not whole: it is read from its beginning only when all of it is there. */
static bool still_waits(struct decoder *decoder, const struct decode_input *input)
{
    if (decoder->front.bytes > 0 && may_wait(input) && msgpack_measure_on(input->bytes, &decoder->front) == 0)
        return true;
    decoder->front = (struct msgpack_walk){ 0 };
    return false;
}

/* The value at the front cannot be read. Answers its code, or 1 if it is only not there as a whole yet. */
static int refuse(struct decoder *decoder, struct decode_input *input, int code, struct decode_error *error)
{
    struct msgpack_walk walk = { 0 };
    const char *reason = error_message();
    int whole = msgpack_measure_on(input->bytes, &walk);
    size_t bytes = walk.bytes;
    if (whole == 0 && may_wait(input)) {
        decoder->front = walk;
        return 1;
    }
    if (whole != 1) {
        bytes = input->bytes.bytes;
        input->lost = true;
        code = whole == 0 && bytes > RECORD_BYTES_MAX ? ERROR_TOO_LARGE : code;
        error_set(code, "%s; nothing behind it in this file can be read", code == ERROR_TOO_LARGE ? "a msgpack value that is too large" : reason);
    }
    *error = (struct decode_error){ code, input->lines + 1, slice_of(input->bytes.data, bytes), error_message() };
    input->records++;
    consume(input, bytes);
    return code;
}

/* Answers 0, a negative code, or 1: there is no whole value. */
static int decode_value(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    if (still_waits(decoder, input))
        return 1;
    int status = msgpack_read_cell(&input->bytes, &batch->arena, &batch->values[batch->count]);
    if (status < 0)
        return refuse(decoder, input, status, error);
    batch->times[batch->count++] = TIME_NONE;
    input->records++;
    return 0;
}

static int decode(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    if (input->lost)
        consume(input, input->bytes.bytes);
    int status = 0;
    while (status == 0 && input->bytes.bytes > 0 && !batch_full(batch))
        status = decode_value(decoder, input, batch, error);
    return status < 0 ? status : 0;
}

static int write_value(struct cell cell, const char *bytes, struct buffer *out)
{
    msgpack_write_cell(out, cell, bytes);
    return 0;
}

static int encode(struct encoder *encoder, const struct batch *batch, int32_t from, int32_t to, struct buffer *out, int32_t *failed)
{
    (void)encoder;
    return encode_each(batch, from, to, out, failed, write_value);
}

static const struct option_spec specs[] = { { 0 } };

const struct format_vtab format_msgpack = {
    .name = "msgpack",
    .options = specs,
    .decoder_open = decoder_open,
    .decode = decode,
    .decoder_begin_file = decoder_begin_file,
    .decoder_close = decoder_close,
    .encoder_open = encoder_open_stateless,
    .encode = encode,
    .encoder_close = encoder_close_stateless,
    .file_extension = ".msgpack",
};
