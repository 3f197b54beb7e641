#include "service/script_copy.h"

#include "base/error.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT_BYTES_MAX (64u << 20)

static int read_all(int descriptor, struct buffer *text, const char *path)
{
    for (;;) {
        ssize_t bytes = read(descriptor, buffer_reserve(text, 16384), 16384);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return error_set_errno(ERROR_IO, "cannot read %s", path);
        if (bytes == 0)
            return 0;
        text->bytes += (size_t)bytes;
        if (text->bytes > SCRIPT_BYTES_MAX)
            return error_set(ERROR_TOO_LARGE, "%s is longer than %u MB", path, SCRIPT_BYTES_MAX >> 20);
    }
}

int script_copy_read(struct script_copy *copy, const char *path)
{
    buffer_init(&copy->text);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(ERROR_IO, "cannot open %s", path);
    int status = read_all(descriptor, &copy->text, path);
    close(descriptor);
    if (status < 0)
        return status;
    copy->hash = hash_bytes(copy->text.data, copy->text.bytes);
    return 0;
}

static int write_file(const char *path, struct slice text)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0)
        return error_set_errno(ERROR_IO, "cannot write %s", path);
    while (text.bytes > 0) {
        ssize_t bytes = write(descriptor, text.data, text.bytes);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0) {
            int status = error_set_errno(ERROR_IO, "cannot write %s", path);
            close(descriptor);
            return status;
        }
        text = slice_of(text.data + bytes, text.bytes - (size_t)bytes);
    }
    close(descriptor);
    return 0;
}

int script_copy_keep(const struct script_copy *copy, const char *data)
{
    char path[4096], unfinished[4096];
    if (snprintf(path, sizeof path, "%s/scripts", data) >= (int)sizeof path - 32)
        return error_set(ERROR_ARGUMENT, "the path of the data directory is too long");
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return error_set_errno(ERROR_IO, "cannot make directory %s", path);
    size_t used = strlen(path);
    snprintf(path + used, sizeof path - used, "/%016" PRIx64 ".lua", copy->hash);
    if (access(path, F_OK) == 0)
        return 0;
    snprintf(unfinished, sizeof unfinished, "%.*s/unfinished", (int)used, path);
    int status = write_file(unfinished, buffer_slice(&copy->text));
    if (status == 0 && rename(unfinished, path) != 0)
        status = error_set_errno(ERROR_IO, "cannot rename %s", unfinished);
    return status;
}

void script_copy_deinit(struct script_copy *copy)
{
    buffer_deinit(&copy->text);
}
