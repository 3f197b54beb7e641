/*
 * A gzip file: one or more members one after the other (what `cat a.gz b.gz`
 * makes), and zero bytes behind the last one (what tape archives pad with).
 * zlib checks the length and checksum of each.
 */
#include "connectors/file/input.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define COMPRESSED_BYTES (128 * 1024)
#define GZIP_WINDOW_BITS (15 + 16) /* zlib: only with a gzip header */

struct file_input {
    char *path;
    int fd;
    z_stream stream;
    bool between;            /* a member is complete, or none has begun */
    bool any;                /* a member was complete */
    bool file_end;
    uint64_t compressed;     /* read from the file */
    uint64_t offset;         /* decompressed */
    uint8_t data[COMPRESSED_BYTES];
};

static int input_open(struct file_input **input, const char *path)
{
    int fd = file_descriptor_open(path);
    if (fd < 0)
        return fd;
    struct file_input *fresh = memory_new_zeroed(1, sizeof *fresh);
    fresh->fd = fd;
    fresh->between = true;
    if (inflateInit2(&fresh->stream, GZIP_WINDOW_BITS) != Z_OK) {
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
                     input->compressed - input->stream.avail_in, input->offset);
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
    input->stream.next_in = input->data;
    input->stream.avail_in = (uInt)got;
    return 0;
}

/* 1: a member begins here; 0: the file ends here; negative: neither. */
static int member_begin(struct file_input *input)
{
    while (input->any && input->stream.avail_in > 0 && *input->stream.next_in == 0) {
        input->stream.next_in++;
        input->stream.avail_in--;
    }
    if (input->stream.avail_in == 0)
        return input->file_end && input->any ? 0 : 1;
    input->between = false;
    if (input->any && inflateReset(&input->stream) != Z_OK)
        return damaged(input, "cannot begin a member");
    return 1;
}

static int inflate_some(struct file_input *input)
{
    switch (inflate(&input->stream, Z_NO_FLUSH)) {
    case Z_STREAM_END:
        input->between = input->any = true;
        return 0;
    case Z_OK:
    case Z_BUF_ERROR:        /* nothing to read or no room: the caller's loop sees to it */
        return 0;
    case Z_MEM_ERROR:
        return error_set(ERROR_MEMORY, "%s: no memory to decompress it", input->path);
    default:
        return damaged(input, input->stream.msg == NULL ? "damaged data" : input->stream.msg);
    }
}

static int64_t input_read(struct file_input *input, char *target, size_t bytes)
{
    if (bytes > INT32_MAX)
        bytes = INT32_MAX;
    input->stream.next_out = (Bytef *)target;
    input->stream.avail_out = (uInt)bytes;
    while (input->stream.avail_out == bytes) {
        int status = 0;
        if (input->stream.avail_in == 0 && !input->file_end)
            status = compressed_read(input);
        if (status < 0)
            return status;
        if (input->between) {
            status = member_begin(input);
            if (status <= 0)
                return status;
        }
        if (input->stream.avail_in == 0 && input->file_end)
            return damaged(input, "cut short");
        status = input->between ? 0 : inflate_some(input);
        if (status < 0)
            return status;
    }
    int64_t got = (int64_t)(bytes - input->stream.avail_out);
    input->offset += (uint64_t)got;
    return got;
}

static int input_seek(struct file_input *input, uint64_t offset)
{
    return file_input_skip(&gzip_input, input, input->path, &input->offset, offset);
}

static int input_descriptor(const struct file_input *input)
{
    return input->fd;
}

static void input_close(struct file_input *input)
{
    inflateEnd(&input->stream);
    close(input->fd);
    free(input->path);
    free(input);
}

const struct file_input_vtab gzip_input = {
    .open = input_open,
    .read = input_read,
    .seek = input_seek,
    .descriptor = input_descriptor,
    .close = input_close,
};
