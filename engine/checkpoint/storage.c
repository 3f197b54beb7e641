#include "checkpoint/storage_internal.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room in a path for what is put behind the root. */
#define ROOT_BYTES_MAX (sizeof(struct storage_path) - 512)

/* ---- Open, names ---- */

static char *path_new(const char *directory, const char *name)
{
    struct buffer path;
    buffer_init(&path);
    buffer_append_format(&path, "%s/%s", directory, name);
    return path.data;
}

static int make_directory(const char *path)
{
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return error_set_errno(ERROR_IO, "%s", path);
    return 0;
}

static int make_directories(const struct storage *storage, const char *data)
{
    if (strlen(storage->root) > ROOT_BYTES_MAX)
        return error_set(ERROR_TOO_LARGE, "the path of the data directory is too long");
    int status = make_directory(data);
    if (status == 0)
        status = make_directory(storage->root);
    if (status == 0)
        status = make_directory(storage->shared);
    if (status == 0)
        status = storage_sync_directory(data);
    return status < 0 ? status : storage_sync_directory(storage->root);
}

int storage_open(const char *data, struct storage **out)
{
    struct storage *storage = memory_new_zeroed(1, sizeof *storage);
    storage->root = path_new(data, "checkpoints");
    storage->shared = path_new(storage->root, "shared");
    storage->lock = -1;
    int status = make_directories(storage, data);
    if (status == 0 && getrandom(&storage->unique, sizeof storage->unique, 0) != sizeof storage->unique)
        status = error_set_errno(ERROR_IO, "random bytes");
    if (status < 0)
        storage_close(storage);
    else
        *out = storage;
    return status;
}

void storage_close(struct storage *storage)
{
    if (storage->lock >= 0)
        close(storage->lock);
    free(storage->root);
    free(storage->shared);
    free(storage);
}

void storage_new_file_name(struct storage *storage, const char *suffix, char *name, size_t name_bytes)
{
    uint32_t number = atomic_fetch_add(&storage->names, 1);
    snprintf(name, name_bytes, "%016llx-%06x%s", (unsigned long long)storage->unique, number, suffix);
}

struct storage_path storage_checkpoint_path(const struct storage *storage, uint64_t id, const char *suffix, const char *name)
{
    struct storage_path path;
    snprintf(path.text, sizeof path.text, "%s/chk-%llu%s%s%s", storage->root, (unsigned long long)id, suffix, name == NULL ? "" : "/",
             name == NULL ? "" : name);
    return path;
}

struct storage_path storage_shared_path(const struct storage *storage, const char *name)
{
    struct storage_path path;
    snprintf(path.text, sizeof path.text, "%s/%s", storage->shared, name);
    return path;
}

uint64_t storage_id_of(const char *name, const char *suffix)
{
    if (strncmp(name, "chk-", 4) != 0 || name[4] < '1' || name[4] > '9')
        return 0;
    char *end;
    errno = 0;
    unsigned long long id = strtoull(name + 4, &end, 10);
    return errno == 0 && id <= INT64_MAX && strcmp(end, suffix) == 0 ? id : 0;
}

/* ---- Commit ---- */

static int write_all(int descriptor, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(descriptor, data, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        data += written;
        bytes -= (size_t)written;
    }
    return 0;
}

static int write_file(const char *path, struct slice bytes)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return error_set_errno(ERROR_IO, "%s", path);
    int status = 0;
    if (write_all(descriptor, bytes.data, bytes.bytes) < 0)
        status = error_set_errno(ERROR_IO, "%s: write", path);
    crash_point("commit.after_manifest");
    if (status == 0 && fsync(descriptor) < 0)
        status = error_set_errno(ERROR_IO, "%s: sync", path);
    close(descriptor);
    return status;
}

int storage_write_manifest(const char *directory, const char *name, const struct manifest *manifest)
{
    struct buffer bytes;
    buffer_init(&bytes);
    char *path = path_new(directory, name);
    int status = manifest_write(manifest, &bytes);
    if (status == 0)
        status = write_file(path, buffer_slice(&bytes));
    if (status == 0)
        status = storage_sync_directory(directory);
    free(path);
    buffer_deinit(&bytes);
    return status;
}

static int prepare(const char *directory, const struct manifest *manifest)
{
    int status = storage_remove_tree(directory); /* of an attempt that failed */
    if (status == 0)
        status = make_directory(directory);
    crash_point("commit.before_manifest");
    return status < 0 ? status : storage_write_manifest(directory, "manifest", manifest);
}

static int publish(const struct storage *storage, const char *prepared, const char *committed)
{
    crash_point("commit.before_rename");
    if (rename(prepared, committed) < 0)
        return error_set_errno(ERROR_IO, "%s: rename", prepared);
    crash_point("commit.after_rename");
    int status = storage_sync_directory(storage->root);
    crash_point("commit.after_sync");
    return status;
}

int storage_commit(struct storage *storage, const struct manifest *manifest)
{
    struct storage_path committed = storage_checkpoint_path(storage, manifest->head.id, "", NULL);
    struct storage_path prepared = storage_checkpoint_path(storage, manifest->head.id, ".tmp", NULL);
    if (access(committed.text, F_OK) == 0)
        return error_set(ERROR_EXISTS, "checkpoint %llu exists", (unsigned long long)manifest->head.id);
    int status = storage_check(storage, manifest, false);
    if (status == 0)
        status = storage_sync_directory(storage->shared);
    if (status == 0)
        status = prepare(prepared.text, manifest);
    if (status == 0)
        return publish(storage, prepared.text, committed.text);
    char message[1024];
    snprintf(message, sizeof message, "%s", error_message());
    storage_remove_tree(prepared.text);
    return error_set(status, "checkpoint %llu: %s", (unsigned long long)manifest->head.id, message);
}
