#include "connectors/file/input.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_input {
    char *path;
    int fd;
    uint64_t offset;
};

static int input_open(struct file_input **input, const char *path)
{
    int fd = file_descriptor_open(path);
    if (fd < 0)
        return fd;
    *input = memory_new_zeroed(1, sizeof **input);
    (*input)->path = memory_copy_text(path);
    (*input)->fd = fd;
    return 0;
}

static int64_t input_read(struct file_input *input, char *target, size_t bytes)
{
    ssize_t got;
    do {
        got = pread(input->fd, target, bytes, (off_t)input->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set_errno(ERROR_IO, "%s: byte %" PRIu64, input->path, input->offset);
    input->offset += (uint64_t)got;
    return got;
}

static int input_end(struct file_input *input)
{
    (void)input;
    return 0;
}

static int input_seek(struct file_input *input, uint64_t offset)
{
    struct stat status;
    if (fstat(input->fd, &status) < 0)
        return error_set_errno(ERROR_IO, "%s", input->path);
    if (offset > (uint64_t)status.st_size)
        return error_set(ERROR_CORRUPT, "%s: has shrunk to %" PRIu64 " bytes, below position %" PRIu64, input->path,
                         (uint64_t)status.st_size, offset);
    input->offset = offset;
    return 0;
}

static int input_descriptor(const struct file_input *input)
{
    return input->fd;
}

static void input_close(struct file_input *input)
{
    close(input->fd);
    free(input->path);
    free(input);
}

const struct file_input_vtab plain_input = {
    .seekable = true,
    .open = input_open,
    .read = input_read,
    .end = input_end,
    .seek = input_seek,
    .descriptor = input_descriptor,
    .close = input_close,
};
