/*
 * A checkpoint of a store turned into a store again. Row files never change
 * once they are written, so both sides share them where that can be (on one file
 * system); RocksDB goes on writing into its other, small files, so these are copied.
 */
#include "base/error.h"
#include "state/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (64 * 1024)

static bool is_row_file(const char *name)
{
    size_t bytes = strlen(name);
    return bytes > 4 && strcmp(name + bytes - 4, ".sst") == 0;
}

static int copy_bytes(int source, int target)
{
    char bytes[COPY_BYTES];
    for (;;) {
        ssize_t got = read(source, bytes, sizeof bytes);
        if (got <= 0)
            return (int)got;
        for (ssize_t put = 0, now; put < got; put += now) {
            now = write(target, bytes + put, (size_t)(got - put));
            if (now < 0)
                return -1;
        }
    }
}

static int copy_file(int from, int to, const char *name)
{
    int source = openat(from, name, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return -1;
    int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int status = target < 0 ? -1 : copy_bytes(source, target);
    int number = errno;
    close(source);
    if (target >= 0 && close(target) < 0 && status == 0)
        return -1;
    errno = number;
    return status;
}

static int clone_file(int from, int to, const char *name)
{
    if (is_row_file(name) && linkat(from, name, to, name, 0) == 0)
        return 0;
    return is_row_file(name) && errno != EXDEV ? -1 : copy_file(from, to, name);
}

static bool is_entry(const char *name)
{
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int clone_all(DIR *from, int to, const char *checkpoint)
{
    struct dirent *entry;
    while ((errno = 0, entry = readdir(from)) != NULL) {
        if (is_entry(entry->d_name) && clone_file(dirfd(from), to, entry->d_name) < 0)
            return error_set_errno(ERROR_IO, "restoring rows: %s/%s", checkpoint, entry->d_name);
    }
    return errno == 0 ? 0 : error_set_errno(ERROR_IO, "restoring rows: %s", checkpoint);
}

int store_clone(const char *checkpoint, const char *directory)
{
    if (mkdir(directory, 0777) < 0)
        return error_set_errno(errno == EEXIST ? ERROR_EXISTS : ERROR_IO, "restoring rows: %s", directory);
    int to = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *from = to < 0 ? NULL : opendir(checkpoint);
    int status = from == NULL ? error_set_errno(ERROR_IO, "restoring rows: %s", to < 0 ? directory : checkpoint)
                              : clone_all(from, to, checkpoint);
    if (from != NULL)
        closedir(from);
    if (to >= 0)
        close(to);
    return status;
}
