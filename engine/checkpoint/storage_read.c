/* Which checkpoints there are, and whether they are in order. */
#include "checkpoint/storage_internal.h"

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENVELOPE_BYTES_MAX 64

/* ---- One manifest ---- */

static int read_descriptor(int descriptor, struct buffer *bytes)
{
    struct stat info;
    if (fstat(descriptor, &info) < 0)
        return error_set_errno(ERROR_IO, "manifest");
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > (uint64_t)MANIFEST_BYTES_MAX + ENVELOPE_BYTES_MAX)
        return error_set(ERROR_CORRUPT, "manifest: %llu bytes", (unsigned long long)info.st_size);
    char *target = buffer_reserve(bytes, (size_t)info.st_size + 1);
    while (bytes->bytes <= (size_t)info.st_size) {
        ssize_t got = read(descriptor, target + bytes->bytes, (size_t)info.st_size + 1 - bytes->bytes);
        if (got < 0 && errno != EINTR)
            return error_set_errno(ERROR_IO, "manifest: read");
        if (got == 0)
            break;
        bytes->bytes += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int read_manifest(const char *path, struct manifest **manifest)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set_errno(errno == ENOENT ? ERROR_CORRUPT : ERROR_IO, "manifest");
    struct buffer bytes;
    buffer_init(&bytes);
    int status = read_descriptor(descriptor, &bytes);
    if (status == 0)
        status = manifest_read(buffer_slice(&bytes), manifest);
    buffer_deinit(&bytes);
    close(descriptor);
    return status;
}

int storage_load(struct storage *storage, uint64_t id, struct manifest **out)
{
    struct storage_path directory = storage_checkpoint_path(storage, id, "", NULL);
    struct storage_path path = storage_checkpoint_path(storage, id, "", "manifest");
    if (access(directory.text, F_OK) < 0)
        return error_set(ERROR_NOT_FOUND, "checkpoint %llu: not found", (unsigned long long)id);
    struct manifest *manifest = NULL;
    int status = read_manifest(path.text, &manifest);
    if (status == 0 && manifest->head.id != id) {
        status = error_set(ERROR_CORRUPT, "manifest: it is that of checkpoint %llu", (unsigned long long)manifest->head.id);
        manifest_free(manifest);
    }
    if (status < 0)
        return error_wrap(status, "checkpoint %llu", (unsigned long long)id);
    *out = manifest;
    return 0;
}

/* ---- Its files ---- */

static int check_size(const char *path, uint64_t bytes)
{
    struct stat info;
    if (lstat(path, &info) < 0)
        return error_set_errno(errno == ENOENT ? ERROR_CORRUPT : ERROR_IO, "%s", path);
    if (!S_ISREG(info.st_mode))
        return error_set(ERROR_CORRUPT, "%s: not a plain file", path);
    if ((uint64_t)info.st_size != bytes)
        return error_set(ERROR_CORRUPT, "%s: %llu bytes where %llu were written", path, (unsigned long long)info.st_size,
                         (unsigned long long)bytes);
    return 0;
}

static int check_entry(const char *path, const struct manifest_entry *entry, bool verify)
{
    int status = check_size(path, entry->bytes);
    if (status < 0 || !verify || entry->checksum == 0)
        return status;
    uint64_t bytes, checksum;
    status = storage_hash_file(path, &bytes, &checksum);
    if (status == 0 && (bytes != entry->bytes || checksum != entry->checksum))
        return error_set(ERROR_CORRUPT, "%s: the checksum does not match", path);
    return status;
}

static int check_rows(struct storage *storage, const struct manifest_file *file, bool verify)
{
    for (uint32_t i = 0; i < file->entry_count; i++) {
        struct storage_path path;
        snprintf(path.text, sizeof path.text, "%s/%s/%s", storage->shared, file->name, file->entries[i].name);
        int status = check_entry(path.text, &file->entries[i], verify);
        if (status < 0)
            return status;
    }
    return 0;
}

static int check_file(struct storage *storage, const struct manifest_file *file, bool verify)
{
    if (file->kind == MANIFEST_ROWS)
        return check_rows(storage, file, verify);
    struct storage_path path = storage_shared_path(storage, file->name);
    int status = check_size(path.text, file->bytes);
    if (status < 0 || !verify)
        return status;
    status = journal_verify(path.text, file->bytes, file->checksum);
    return status == ERROR_NOT_FOUND ? ERROR_CORRUPT : status;
}

int storage_check(struct storage *storage, const struct manifest *manifest, bool verify)
{
    int status = manifest_check(manifest);
    for (uint32_t i = 0; i < manifest->file_count && status == 0; i++)
        status = check_file(storage, &manifest->files[i], verify);
    return status < 0 ? error_wrap(status, "checkpoint %llu", (unsigned long long)manifest->head.id) : 0;
}

int storage_verify(struct storage *storage, uint64_t id)
{
    struct manifest *manifest;
    int status = storage_load(storage, id, &manifest);
    if (status < 0)
        return status;
    status = storage_check(storage, manifest, true);
    manifest_free(manifest);
    return status;
}

/* ---- All of them ---- */

struct ids { uint64_t *list; uint32_t count; };

static int note_id(void *self, const char *name)
{
    struct ids *ids = self;
    uint64_t id = storage_id_of(name, "");
    if (id == 0)
        return 0;
    ids->list = memory_resize(ids->list, (ids->count + 1) * sizeof ids->list[0]);
    ids->list[ids->count++] = id;
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static int list_ids(struct storage *storage, struct ids *ids)
{
    *ids = (struct ids){ 0 };
    int status = storage_each_entry(storage->root, note_id, ids);
    if (ids->count > 0)
        qsort(ids->list, ids->count, sizeof ids->list[0], compare_ids);
    return status;
}

static struct storage_item inspect(struct storage *storage, uint64_t id, bool verify)
{
    struct storage_item item = { .id = id };
    item.code = storage_load(storage, id, &item.manifest);
    if (item.code == 0)
        item.code = storage_check(storage, item.manifest, verify);
    if (item.code < 0)
        item.reason = memory_copy_text(error_message());
    return item;
}

int storage_list(struct storage *storage, bool verify, struct storage_list *list)
{
    struct ids ids;
    int status = list_ids(storage, &ids);
    list->count = status < 0 ? 0 : ids.count;
    list->items = memory_new_zeroed(list->count + 1, sizeof list->items[0]);
    for (uint32_t i = 0; i < list->count; i++)
        list->items[i] = inspect(storage, ids.list[i], verify);
    free(ids.list);
    return status;
}

void storage_list_free(struct storage_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        manifest_free(list->items[i].manifest);
        free(list->items[i].reason);
    }
    free(list->items);
    *list = (struct storage_list){ 0 };
}

int storage_newest_valid(struct storage *storage, bool verify, struct manifest **manifest)
{
    *manifest = NULL;
    struct ids ids;
    int status = list_ids(storage, &ids);
    for (uint32_t i = ids.count; i-- > 0 && status == 0 && *manifest == NULL;) {
        struct storage_item item = inspect(storage, ids.list[i], verify);
        if (item.code == 0)
            *manifest = item.manifest;
        else {
            log_warn("passed over: %s", item.reason);
            manifest_free(item.manifest);
        }
        free(item.reason);
    }
    free(ids.list);
    return status;
}

static int note_newest(void *self, const char *name)
{
    uint64_t *newest = self, id = storage_id_of(name, ""), gone = storage_id_of(name, ".gone");
    id = id > gone ? id : gone;
    *newest = id > *newest ? id : *newest;
    return 0;
}

uint64_t storage_newest_id(struct storage *storage)
{
    uint64_t newest = 0;
    return storage_each_entry(storage->root, note_newest, &newest) < 0 ? 0 : newest;
}

static uint64_t number_of(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return errno == 0 && *text >= '1' && *text <= '9' && *end == 0 && number <= INT64_MAX ? number : 0;
}

int storage_find(struct storage *storage, const char *id_or_tag, uint64_t *id)
{
    struct storage_list list;
    int status = storage_list(storage, false, &list);
    uint64_t number = number_of(id_or_tag);
    *id = 0;
    for (uint32_t i = 0; i < list.count && status == 0; i++) {
        const struct storage_item *item = &list.items[i];
        if (item->id == number || (item->manifest != NULL && manifest_has_tag(item->manifest, id_or_tag)))
            *id = item->id;
    }
    storage_list_free(&list);
    if (status == 0 && *id == 0)
        return error_set(ERROR_NOT_FOUND, "no checkpoint has the number or tag '%s'%s", id_or_tag,
                         strchr(id_or_tag, '/') == NULL ? "" : "; paths are of savepoints, which are not available in this version");
    return status;
}
