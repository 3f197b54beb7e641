/* A zstd file: one or more frames, checked by libzstd where they hold a checksum. */
#include "connectors/file/compressed_file.h"
#include "connectors/file/input.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <zstd.h>

struct file_input {
    ZSTD_DStream *stream;
    ZSTD_inBuffer in;
    bool between;            /* a frame is complete */
    uint64_t offset;         /* decompressed */
    struct compressed_file file;
};

static int input_open(struct file_input **input, const char *path)
{
    struct file_input *fresh = memory_new(sizeof *fresh);
    int status = compressed_file_open(&fresh->file, path);
    if (status < 0) {
        free(fresh);
        return status;
    }
    fresh->stream = ZSTD_createDStream();
    fresh->in = (ZSTD_inBuffer){ .src = fresh->file.block };
    fresh->between = false;
    fresh->offset = 0;
    if (fresh->stream == NULL) {
        compressed_file_close(&fresh->file);
        free(fresh);
        return error_set(ERROR_MEMORY, "%s: no memory to decompress it", path);
    }
    *input = fresh;
    return 0;
}

static int damaged(const struct file_input *input, const char *what)
{
    return compressed_file_damaged(&input->file, what, input->in.size - input->in.pos, input->offset);
}

static int next_block(struct file_input *input)
{
    int status = compressed_file_next(&input->file);
    input->in.size = input->file.block_bytes;
    input->in.pos = 0;
    return status;
}

static int64_t input_read(struct file_input *input, char *target, size_t bytes)
{
    ZSTD_outBuffer out = { target, bytes, 0 };
    while (out.pos == 0) {
        if (input->in.pos == input->in.size) {
            int status = next_block(input);
            if (status < 0)
                return status;
        }
        if (input->file.at_end && input->between)
            return 0;
        size_t in_before = input->in.pos;
        size_t left = ZSTD_decompressStream(input->stream, &out, &input->in);
        if (ZSTD_isError(left))
            return damaged(input, ZSTD_getErrorName(left));
        input->between = left == 0;
        /* At the end of the file the decoder may still hold bytes; without progress it misses some. */
        if (input->file.at_end && out.pos == 0 && input->in.pos == in_before && !input->between)
            return 0;
    }
    input->offset += out.pos;
    return (int64_t)out.pos;
}

static int input_end(struct file_input *input)
{
    return input->between ? 0 : damaged(input, "cut short");
}

static int input_seek(struct file_input *input, uint64_t offset)
{
    return file_input_skip(&zstd_input, input, input->file.path, &input->offset, offset);
}

static int input_descriptor(const struct file_input *input)
{
    return input->file.fd;
}

static void input_close(struct file_input *input)
{
    ZSTD_freeDStream(input->stream);
    compressed_file_close(&input->file);
    free(input);
}

const struct file_input_vtab zstd_input = {
    .open = input_open,
    .read = input_read,
    .end = input_end,
    .seek = input_seek,
    .descriptor = input_descriptor,
    .close = input_close,
};
