/*
 * The "msgpack" format: values one behind the other. They have no marks between
 * them, so behind bytes that cannot be a value nothing can be found again.
 */
#include "codec/format.h"

#include "base/error.h"
#include "codec/msgpack.h"

static int decoder_open(const struct options *options, struct decoder **decoder)
{
    (void)options;
    *decoder = NULL;         /* whether it is lost, its caller keeps */
    return 0;
}

static void decoder_close(struct decoder *decoder)
{
    (void)decoder;
}

static int decoder_begin_file(struct decoder *decoder, struct decode_input *input)
{
    (void)decoder;
    input->lost = false;
    return 0;
}

static void consume(struct decode_input *input, size_t bytes)
{
    input->bytes = slice_of(input->bytes.data + bytes, input->bytes.bytes - bytes);
}

/* The value at the front cannot be read. Answers its code, or 1 if it is only not there as a whole yet. */
static int refuse(struct decode_input *input, int code, struct decode_error *error)
{
    size_t bytes = 0;
    const char *reason = error_message();
    int whole = msgpack_measure(input->bytes, &bytes);
    bool waiting = whole == 0 && !input->at_end && input->bytes.bytes <= RECORD_BYTES_MAX;
    if (waiting)
        return 1;
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
static int decode_value(struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    int status = msgpack_read_cell(&input->bytes, &batch->arena, &batch->values[batch->count]);
    if (status < 0)
        return refuse(input, status, error);
    batch->times[batch->count++] = TIME_NONE;
    input->records++;
    return 0;
}

static int decode(struct decoder *decoder, struct decode_input *input, struct batch *batch, struct decode_error *error)
{
    (void)decoder;
    if (input->lost)
        consume(input, input->bytes.bytes);
    int status = 0;
    while (status == 0 && input->bytes.bytes > 0 && !batch_full(batch))
        status = decode_value(input, batch, error);
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
