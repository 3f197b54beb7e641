#include "connectors/file/input.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_with(const char *text, const char *ending)
{
    size_t bytes = strlen(text), ending_bytes = strlen(ending);
    return bytes >= ending_bytes && strcmp(text + bytes - ending_bytes, ending) == 0;
}

const struct file_input_vtab *file_input_of(const char *path)
{
    if (ends_with(path, ".gz"))
        return &gzip_input;
    return ends_with(path, ".zst") ? &zstd_input : &plain_input;
}

int file_descriptor_open(const char *path)
{
    /* Without O_NONBLOCK a named pipe would be waited for before it can be refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s", path);
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        return fd;
    }
    close(fd);
    return error_set(ERROR_UNSUPPORTED, "%s is not a regular file", path);
}

int file_input_skip(const struct file_input_vtab *vtab, struct file_input *input, const char *path, uint64_t *at, uint64_t offset)
{
    char dropped[64 * 1024];
    while (*at < offset) {
        uint64_t left = offset - *at;
        int64_t bytes = vtab->read(input, dropped, left < sizeof dropped ? (size_t)left : sizeof dropped);
        if (bytes < 0)
            return (int)bytes;
        int ended = bytes == 0 ? vtab->end(input) : 0;
        if (ended < 0)
            return ended;
        if (bytes == 0)
            return error_set(ERROR_CORRUPT, "%s: ends at byte %" PRIu64 ", before position %" PRIu64, path, *at, offset);
    }
    return 0;
}
