/*
 * A gzip file: one or more members one after the other (what `cat a.gz b.gz`
 * makes), and zero bytes behind the last one (what tape archives pad with).
 * zlib checks the length and checksum of each.
 */
#include "connectors/file/compressed_file.h"
#include "connectors/file/input.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW_BITS (15 + 16) /* zlib: only with a gzip header */

struct file_input {
    z_stream stream;
    bool between;            /* a member is complete, or none has begun */
    bool any;                /* a member was complete */
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
    fresh->stream = (z_stream){ 0 };
    fresh->between = true;
    fresh->any = false;
    fresh->offset = 0;
    if (inflateInit2(&fresh->stream, GZIP_WINDOW_BITS) != Z_OK) {
        compressed_file_close(&fresh->file);
        free(fresh);
        return error_set(ERROR_MEMORY, "%s: no memory to decompress it", path);
    }
    *input = fresh;
    return 0;
}

static int damaged(const struct file_input *input, const char *what)
{
    return compressed_file_damaged(&input->file, what, input->stream.avail_in, input->offset);
}

static int next_block(struct file_input *input)
{
    int status = compressed_file_next(&input->file);
    input->stream.next_in = input->file.block;
    input->stream.avail_in = (uInt)input->file.block_bytes;
    return status;
}

/* 1: a member begins here; 0: the file ends here; negative: neither. */
static int member_begin(struct file_input *input)
{
    while (input->any && input->stream.avail_in > 0 && *input->stream.next_in == 0) {
        input->stream.next_in++;
        input->stream.avail_in--;
    }
    if (input->stream.avail_in == 0)
        return input->file.at_end && input->any ? 0 : 1;
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
        return error_set(ERROR_MEMORY, "%s: no memory to decompress it", input->file.path);
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
        if (input->stream.avail_in == 0)
            status = next_block(input);
        if (status < 0)
            return status;
        status = input->between ? member_begin(input) : 1;
        if (status <= 0)
            return status;
        if (input->stream.avail_in == 0 && input->file.at_end)
            return 0;
        status = input->between ? 0 : inflate_some(input);
        if (status < 0)
            return status;
    }
    int64_t got = (int64_t)(bytes - input->stream.avail_out);
    input->offset += (uint64_t)got;
    return got;
}

static int input_end(struct file_input *input)
{
    return input->between && input->any ? 0 : damaged(input, "cut short");
}

static int input_seek(struct file_input *input, uint64_t offset)
{
    return file_input_skip(&gzip_input, input, input->file.path, &input->offset, offset);
}

static int input_descriptor(const struct file_input *input)
{
    return input->file.fd;
}

static void input_close(struct file_input *input)
{
    inflateEnd(&input->stream);
    compressed_file_close(&input->file);
    free(input);
}

const struct file_input_vtab gzip_input = {
    .open = input_open,
    .read = input_read,
    .end = input_end,
    .seek = input_seek,
    .descriptor = input_descriptor,
    .close = input_close,
};
