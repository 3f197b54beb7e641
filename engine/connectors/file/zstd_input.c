/* A zstd file: one or more frames, checked by libzstd where they hold a checksum. */
#include "connectors/file/input.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#define COMPRESSED_BYTES (128 * 1024)

struct file_input {
    char *path;
    int fd;
    ZSTD_DStream *stream;
    ZSTD_inBuffer in;
    bool between;            /* a frame is complete */
    bool file_end;
    uint64_t compressed, offset;
    uint8_t data[COMPRESSED_BYTES];
};

static int input_open(struct file_input **input, const char *path)
{
    int fd = file_descriptor_open(path);
    if (fd < 0)
        return fd;
    struct file_input *fresh = memory_new_zeroed(1, sizeof *fresh);
    fresh->fd = fd;
    fresh->stream = ZSTD_createDStream();
    fresh->in.src = fresh->data;
    if (fresh->stream == NULL) {
        close(fd);
        free(fresh);
        return error_set(ERROR_MEMORY, "%s: no memory to decompress it", path);
    }
    fresh->path = memory_copy_text(path);
    *input = fresh;
    return 0;
}

static int damaged(const struct file_input *input, const char *what)
{
    return error_set(ERROR_CORRUPT, "%s: %s at compressed byte %" PRIu64 " (byte %" PRIu64 " of its content)", input->path, what,
                     input->compressed - (input->in.size - input->in.pos), input->offset);
}

static int compressed_read(struct file_input *input)
{
    ssize_t got;
    do {
        got = read(input->fd, input->data, COMPRESSED_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set_errno(ERROR_IO, "%s", input->path);
    input->file_end = got == 0;
    input->compressed += (uint64_t)got;
    input->in.size = (size_t)got;
    input->in.pos = 0;
    return 0;
}

static int64_t input_read(struct file_input *input, char *target, size_t bytes)
{
    ZSTD_outBuffer out = { target, bytes, 0 };
    while (out.pos == 0) {
        if (input->in.pos == input->in.size && !input->file_end) {
            int status = compressed_read(input);
            if (status < 0)
                return status;
        }
        if (input->file_end && input->between)
            return 0;
        size_t in_before = input->in.pos;
        size_t left = ZSTD_decompressStream(input->stream, &out, &input->in);
        if (ZSTD_isError(left))
            return damaged(input, ZSTD_getErrorName(left));
        input->between = left == 0;
        /* At the end of the file the decoder may still hold bytes; without progress it misses some. */
        if (input->file_end && out.pos == 0 && input->in.pos == in_before && !input->between)
            return damaged(input, "cut short");
    }
    input->offset += out.pos;
    return (int64_t)out.pos;
}

static int input_seek(struct file_input *input, uint64_t offset)
{
    return file_input_skip(&zstd_input, input, input->path, &input->offset, offset);
}

static int input_descriptor(const struct file_input *input)
{
    return input->fd;
}

static void input_close(struct file_input *input)
{
    ZSTD_freeDStream(input->stream);
    close(input->fd);
    free(input->path);
    free(input);
}

const struct file_input_vtab zstd_input = {
    .open = input_open,
    .read = input_read,
    .seek = input_seek,
    .descriptor = input_descriptor,
    .close = input_close,
};
