#include "connectors/file/compressed_file.h"

#include "base/error.h"
#include "base/memory.h"
#include "connectors/file/input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

int compressed_file_open(struct compressed_file *file, const char *path)
{
    int fd = file_descriptor_open(path);
    if (fd < 0)
        return fd;
    file->fd = fd;
    file->path = memory_copy_text(path);
    file->at_end = false;
    file->read = file->block_bytes = 0;
    return 0;
}

void compressed_file_close(struct compressed_file *file)
{
    close(file->fd);
    free(file->path);
}

int compressed_file_next(struct compressed_file *file)
{
    ssize_t got;
    do {
        got = read(file->fd, file->block, sizeof file->block);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set_errno(ERROR_IO, "%s", file->path);
    file->at_end = got == 0;
    file->block_bytes = (size_t)got;
    file->read += (uint64_t)got;
    return 0;
}

int compressed_file_damaged(const struct compressed_file *file, const char *what, size_t unread, uint64_t offset)
{
    return error_set(ERROR_CORRUPT, "%s: %s at compressed byte %" PRIu64 " (byte %" PRIu64 " of its content)", file->path, what,
                     file->read - unread, offset);
}
