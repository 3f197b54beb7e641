#include "connectors/file/part.h"

#include "base/error.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (256 * 1024)

static int folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 || fsync(fd) < 0 ? error_set_errno(ERROR_IO, "%s", path) : 0;
    if (fd >= 0)
        close(fd);
    return status;
}

/* A folder that a power cut can take away holds nothing for ever: its name is made durable too. */
static int folder_make(const char *path)
{
    struct stat folder;
    if (stat(path, &folder) == 0)
        return 0;
    char *copy = memory_copy_text(path);
    char *parent = memory_copy_text(dirname(copy));
    int status = folder_make(parent);
    if (status == 0 && mkdir(path, 0777) < 0 && errno != EEXIST)
        status = error_set_errno(ERROR_IO, "cannot make %s", path);
    if (status == 0)
        status = folder_sync(parent);
    free(parent);
    free(copy);
    return status;
}

int part_folder_open(struct part_folder *folder, const char *path)
{
    int status = folder_make(path);
    if (status < 0)
        return status;
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0)
        return error_set_errno(ERROR_IO, "%s", path);
    folder->path = memory_copy_text(path);
    return 0;
}

void part_folder_close(struct part_folder *folder)
{
    close(folder->fd);
    free(folder->path);
}

int part_folder_sync(const struct part_folder *folder)
{
    return fsync(folder->fd) < 0 ? error_set_errno(ERROR_IO, "%s", folder->path) : 0;
}

int64_t part_bytes(const struct part_folder *folder, const struct part *part, enum part_state state)
{
    char name[PART_NAME_BYTES];
    struct stat file;
    part_format(part, state, name);
    if (fstatat(folder->fd, name, &file, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(file.st_mode))
        return -1;
    return file.st_size;
}

int part_rename(const struct part_folder *folder, const struct part *part, enum part_state from, enum part_state to)
{
    char source[PART_NAME_BYTES], target[PART_NAME_BYTES];
    part_format(part, from, source);
    part_format(part, to, target);
    if (renameat(folder->fd, source, folder->fd, target) == 0)
        return 0;
    int code = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
    return error_set_errno(code, "cannot rename %s/%s to %s", folder->path, source, target);
}

int part_remove(const struct part_folder *folder, const struct part *part, enum part_state state)
{
    char name[PART_NAME_BYTES];
    part_format(part, state, name);
    if (unlinkat(folder->fd, name, 0) < 0 && errno != ENOENT)
        return error_set_errno(ERROR_IO, "cannot remove %s/%s", folder->path, name);
    return 0;
}

static int part_open(const struct part_folder *folder, const struct part *part, enum part_state state, int flags)
{
    char name[PART_NAME_BYTES];
    part_format(part, state, name);
    int fd = openat(folder->fd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0666);
    return fd < 0 ? error_set_errno(errno == EEXIST ? ERROR_EXISTS : ERROR_IO, "%s/%s", folder->path, name) : fd;
}

int part_mark(const struct part_folder *folder, const struct part *part)
{
    int fd = part_open(folder, part, PART_MARK, O_WRONLY | O_CREAT);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int part_create(const struct part_folder *folder, const struct part *part)
{
    return part_open(folder, part, PART_HIDDEN, O_WRONLY | O_CREAT | O_EXCL);
}

int part_truncate(const struct part_folder *folder, const struct part *part, enum part_state state, uint64_t bytes)
{
    int fd = part_open(folder, part, state, O_WRONLY);
    if (fd < 0)
        return fd;
    int status = 0;
    if (ftruncate(fd, (off_t)bytes) < 0 || fdatasync(fd) < 0)
        status = error_set_errno(ERROR_IO, "cannot cut part %" PRIu64 " of %s", part->counter, folder->path);
    close(fd);
    return status;
}

static int bytes_copy(int source, int target, uint64_t bytes)
{
    char *data = memory_new(COPY_BYTES);
    ssize_t got = 0;
    while (bytes > 0) {
        got = read(source, data, bytes < COPY_BYTES ? (size_t)bytes : COPY_BYTES);
        if (got <= 0 || write(target, data, (size_t)got) != got)
            break;
        bytes -= (uint64_t)got;
    }
    free(data);
    return bytes == 0 && fdatasync(target) == 0 ? 0 : -1;
}

int part_copy(const struct part_folder *folder, const struct part *part, enum part_state from, uint64_t bytes)
{
    int source = part_open(folder, part, from, O_RDONLY);
    if (source < 0)
        return source;
    int target = part_open(folder, part, PART_HIDDEN, O_WRONLY | O_CREAT | O_TRUNC);
    int status = target < 0 ? target : 0;
    if (status == 0 && bytes_copy(source, target, bytes) < 0)
        status = error_set_errno(ERROR_IO, "cannot copy part %" PRIu64 " of %s", part->counter, folder->path);
    close(source);
    if (target >= 0)
        close(target);
    return status;
}

static void entry_append(struct part_list *list, const struct part_entry *entry)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 64;
        list->entries = memory_resize(list->entries, list->capacity * sizeof list->entries[0]);
    }
    list->entries[list->count++] = *entry;
}

int part_list_read(struct part_list *list, const struct part_folder *folder)
{
    *list = (struct part_list){ 0 };
    DIR *names = opendir(folder->path);
    if (names == NULL)
        return error_set_errno(ERROR_IO, "%s", folder->path);
    struct part_entry entry;
    for (struct dirent *name; (name = readdir(names)) != NULL;) {
        if (part_parse(name->d_name, &entry.part, &entry.state))
            entry_append(list, &entry);
    }
    closedir(names);
    return 0;
}

void part_list_deinit(struct part_list *list)
{
    free(list->entries);
}
