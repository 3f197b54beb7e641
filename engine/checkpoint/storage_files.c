/* Files and directories: sync, remove, hash. */
#include "checkpoint/storage_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_BUFFER_BYTES (256 * 1024)

static int sync_path(const char *path, int flags)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (descriptor < 0)
        return error_set_errno(ERROR_IO, "%s", path);
    int status = fsync(descriptor) < 0 ? error_set_errno(ERROR_IO, "%s: sync", path) : 0;
    close(descriptor);
    return status;
}

int storage_sync_directory(const char *path)
{
    return sync_path(path, O_DIRECTORY);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The names first, so that a visit may remove entries without the listing missing others. */
static int read_names(const char *directory, char ***names, uint32_t *count)
{
    DIR *stream = opendir(directory);
    if (stream == NULL)
        return error_set_errno(errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s", directory);
    struct dirent *entry;
    while ((errno = 0, entry = readdir(stream)) != NULL) {
        if (is_dots(entry->d_name))
            continue;
        *names = memory_resize(*names, (*count + 1) * sizeof **names);
        (*names)[(*count)++] = memory_copy_text(entry->d_name);
    }
    int status = errno == 0 ? 0 : error_set_errno(ERROR_IO, "%s", directory);
    closedir(stream);
    return status;
}

int storage_each_entry(const char *directory, int (*visit)(void *self, const char *name), void *self)
{
    char **names = NULL;
    uint32_t count = 0;
    int status = read_names(directory, &names, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (status == 0)
            status = visit(self, names[i]);
        free(names[i]);
    }
    free(names);
    return status;
}

static struct storage_path join(const char *directory, const char *name)
{
    struct storage_path path;
    /* Longer than any path may be: the call that uses it fails, and says so. */
    if ((size_t)snprintf(path.text, sizeof path.text, "%s/%s", directory, name) >= sizeof path.text)
        path.text[0] = 0;
    return path;
}

static int sync_entry(void *directory, const char *name)
{
    return sync_path(join(directory, name).text, 0);
}

int storage_sync_tree(const char *path)
{
    int status = storage_each_entry(path, sync_entry, (void *)path);
    return status < 0 ? status : storage_sync_directory(path);
}

static int remove_entry(void *directory, const char *name)
{
    return storage_remove_tree(join(directory, name).text);
}

int storage_remove_tree(const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    /* A directory: Linux says EISDIR, others EPERM. */
    if (errno != EISDIR && errno != EPERM)
        return error_set_errno(ERROR_IO, "%s: remove", path);
    int status = storage_each_entry(path, remove_entry, (void *)path);
    if (status == 0 && rmdir(path) < 0 && errno != ENOENT)
        status = error_set_errno(ERROR_IO, "%s: remove", path);
    return status;
}

static int hash_descriptor(int descriptor, const char *path, uint64_t *bytes, uint64_t *checksum)
{
    char *buffer = memory_new(HASH_BUFFER_BYTES);
    XXH3_state_t *state = XXH3_createState();
    XXH3_64bits_reset(state);
    *bytes = 0;
    ssize_t got;
    while ((got = read(descriptor, buffer, HASH_BUFFER_BYTES)) > 0 || (got < 0 && errno == EINTR)) {
        if (got < 0)
            continue;
        XXH3_64bits_update(state, buffer, (size_t)got);
        *bytes += (uint64_t)got;
    }
    int status = got < 0 ? error_set_errno(ERROR_IO, "%s: read", path) : 0;
    *checksum = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    free(buffer);
    return status;
}

int storage_hash_file(const char *path, uint64_t *bytes, uint64_t *checksum)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set_errno(errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s", path);
    int status = hash_descriptor(descriptor, path, bytes, checksum);
    close(descriptor);
    return status;
}

/* ---- Directories of rows ---- */

struct description {
    const char *path;
    const char *previous;
    const struct manifest_file *known;
    struct manifest_file *file;
};

/* The checksum that is known of this very file under the same name in the directory before, or 0. */
static uint64_t known_checksum(const struct description *description, const char *name, const struct stat *now)
{
    struct stat before;
    if (description->known == NULL || stat(join(description->previous, name).text, &before) < 0)
        return 0;
    if (before.st_ino != now->st_ino || before.st_dev != now->st_dev || before.st_size != now->st_size)
        return 0;
    for (uint32_t i = 0; i < description->known->entry_count; i++) {
        const struct manifest_entry *entry = &description->known->entries[i];
        if (strcmp(entry->name, name) == 0 && entry->bytes == (uint64_t)now->st_size)
            return entry->checksum;
    }
    return 0;
}

static int describe_entry(void *self, const char *name)
{
    struct description *description = self;
    struct storage_path path = join(description->path, name);
    struct stat now;
    if (stat(path.text, &now) < 0)
        return error_set_errno(ERROR_IO, "%s", path.text);
    if (!manifest_name_allowed(name) || !S_ISREG(now.st_mode))
        return error_set(ERROR_FORMAT, "%s: not a file of rows", path.text);
    struct manifest_entry entry = { .bytes = (uint64_t)now.st_size, .checksum = known_checksum(description, name, &now) };
    int status = entry.checksum != 0 ? 0 : storage_hash_file(path.text, &entry.bytes, &entry.checksum);
    if (status < 0)
        return status;
    entry.name = memory_copy_text(name);
    struct manifest_file *file = description->file;
    file->entries = memory_resize(file->entries, (file->entry_count + 1) * sizeof entry);
    file->entries[file->entry_count++] = entry;
    file->bytes += entry.bytes;
    return 0;
}

int storage_describe_rows(const char *path, const char *previous, const struct manifest_file *known, struct manifest_file *file)
{
    file->kind = MANIFEST_ROWS;
    file->bytes = 0;
    file->entry_count = 0;
    file->entries = NULL;
    struct description description = { path, previous, known, file };
    int status = storage_each_entry(path, describe_entry, &description);
    return status < 0 ? status : storage_sync_tree(path);
}
