/*
 * Deleting. The order is what makes it safe: first the manifest loses its name
 * (a rename, synced), then it is removed, then go the files that only it named.
 */
#include "checkpoint/storage_internal.h"

#include "base/crash.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Sorted names of shared files. */
struct names { const char **list; size_t count, capacity; };

static void names_add(struct names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity * 2 + 64;
        names->list = memory_resize(names->list, names->capacity * sizeof names->list[0]);
    }
    names->list[names->count++] = name;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_sort(struct names *names)
{
    if (names->count > 0)
        qsort(names->list, names->count, sizeof names->list[0], compare_names);
}

static bool names_has(const struct names *names, const char *name)
{
    return names->count > 0 && bsearch(&name, names->list, names->count, sizeof names->list[0], compare_names) != NULL;
}

static void names_add_files(struct names *names, const struct manifest *manifest)
{
    for (uint32_t i = 0; i < manifest->file_count; i++)
        names_add(names, manifest->files[i].name);
}

/* ---- Deleting some of a list ---- */

/*
 * Which files a manifest names is unknown if it is damaged, and then for good; but one that a newer engine wrote,
 * or that could not be read this time, will be wanted with all its files.
 */
static const struct storage_item *find_undecided(const struct storage_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].manifest == NULL && list->items[i].code != ERROR_CORRUPT)
            return &list->items[i];
    }
    return NULL;
}

static int rename_away(struct storage *storage, uint64_t id)
{
    struct storage_path from = storage_checkpoint_path(storage, id, "", NULL), to = storage_checkpoint_path(storage, id, ".del", NULL);
    crash_point("retain.before_rename");
    int status = storage_remove_tree(to.text);
    if (status == 0 && rename(from.text, to.text) < 0 && errno != ENOENT)
        status = error_set_errno(ERROR_IO, "%s: rename", from.text);
    crash_point("retain.after_rename");
    return status;
}

/* The files that doomed manifests name and no other one, and that nobody holds. */
static struct names orphans_of(const struct storage_list *list, const bool *doomed, const char *const *living, uint32_t living_count)
{
    struct names held = { 0 }, orphans = { 0 };
    for (uint32_t i = 0; i < living_count; i++)
        names_add(&held, living[i]);
    for (uint32_t i = 0; i < list->count; i++) {
        if (!doomed[i] && list->items[i].manifest != NULL)
            names_add_files(&held, list->items[i].manifest);
    }
    names_sort(&held);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct manifest *manifest = doomed[i] ? list->items[i].manifest : NULL;
        for (uint32_t f = 0; manifest != NULL && f < manifest->file_count; f++) {
            if (!names_has(&held, manifest->files[f].name))
                names_add(&orphans, manifest->files[f].name);
        }
    }
    free(held.list);
    return orphans;
}

static int remove_files(struct storage *storage, const struct names *names)
{
    crash_point("retain.before_files");
    int status = 0;
    for (size_t i = 0; i < names->count && status == 0; i++) {
        crash_point("retain.between_files");
        status = storage_remove_tree(storage_shared_path(storage, names->list[i]).text);
    }
    return status;
}

static int remove_manifests(struct storage *storage, const struct storage_list *list, const bool *doomed)
{
    int status = 0;
    for (uint32_t i = 0; i < list->count && status == 0; i++) {
        if (doomed[i])
            status = storage_remove_tree(storage_checkpoint_path(storage, list->items[i].id, ".del", NULL).text);
    }
    crash_point("retain.after_manifest");
    return status;
}

static int delete_doomed(struct storage *storage, const struct storage_list *list, const bool *doomed, const char *const *living,
                         uint32_t living_count)
{
    struct names orphans = orphans_of(list, doomed, living, living_count);
    int status = 0;
    for (uint32_t i = 0; i < list->count && status == 0; i++) {
        if (doomed[i])
            status = rename_away(storage, list->items[i].id);
    }
    /* On the disk before any file goes: else a crash of the machine could bring a checkpoint back without its files. */
    if (status == 0)
        status = storage_sync_directory(storage->root);
    if (status == 0)
        status = remove_manifests(storage, list, doomed);
    if (status == 0 && find_undecided(list) == NULL)
        status = remove_files(storage, &orphans);
    free(orphans.list);
    return status;
}

/* ---- Retention ---- */

/*
 * The newest and those it came from, by their parents; where one of these has gone, by the run that took it. What
 * runs left that were started over, or that went on from an earlier one, is no part of it.
 */
static void mark_line(const struct storage_list *list, bool *in_line)
{
    bool begun = false;
    uint64_t parent = 0, run = 0;
    for (uint32_t i = list->count; i-- > 0;) {
        const struct manifest *manifest = list->items[i].manifest;
        if (manifest == NULL || (begun && manifest->head.id != parent && manifest->head.run != run))
            continue;
        in_line[i] = begun = true;
        parent = manifest->head.parent;
        run = manifest->head.run;
    }
}

/* Marks what is older than the newest `keep` of its line in order, and of others what is damaged; answers whether anything is. */
static bool choose(const struct storage_list *list, uint32_t keep, bool *doomed)
{
    bool any = false, *in_line = memory_new_zeroed(list->count + 1, sizeof *in_line);
    uint32_t kept = 0;
    mark_line(list, in_line);
    for (uint32_t i = list->count; i-- > 0;) {
        const struct storage_item *item = &list->items[i];
        if (item->manifest == NULL || item->manifest->tag_count > 0 || (!in_line[i] && item->code == 0))
            continue;
        doomed[i] = kept >= keep;
        any = any || doomed[i];
        kept += item->code == 0;
    }
    free(in_line);
    return any;
}

int storage_retain(struct storage *storage, uint32_t keep, const char *const *living, uint32_t living_count)
{
    struct storage_list list;
    int status = storage_list(storage, false, &list);
    bool *doomed = memory_new_zeroed(list.count + 1, sizeof *doomed);
    if (status == 0 && choose(&list, keep > 0 ? keep : 1, doomed))
        status = delete_doomed(storage, &list, doomed, living, living_count);
    free(doomed);
    storage_list_free(&list);
    return status;
}

/* What was published with the newest is published, though it is gone. */
static int mark_gone(const struct storage *storage, uint64_t id)
{
    struct storage_path mark = storage_checkpoint_path(storage, id, ".gone", NULL);
    if (mkdir(mark.text, 0777) < 0 && errno != EEXIST)
        return error_set_errno(ERROR_IO, "%s", mark.text);
    return storage_sync_directory(storage->root);
}

int storage_delete(struct storage *storage, uint64_t id, const char *const *living, uint32_t living_count)
{
    struct storage_list list;
    int status = storage_list(storage, false, &list);
    bool *doomed = memory_new_zeroed(list.count + 1, sizeof *doomed);
    bool any = false;
    for (uint32_t i = 0; i < list.count; i++)
        any |= doomed[i] = list.items[i].id == id;
    if (status == 0 && !any)
        status = error_set(ERROR_NOT_FOUND, "checkpoint %llu: not found", (unsigned long long)id);
    if (status == 0 && id == storage_newest_id(storage))
        status = mark_gone(storage, id);
    if (status == 0)
        status = delete_doomed(storage, &list, doomed, living, living_count);
    free(doomed);
    storage_list_free(&list);
    return status;
}

/* ---- Leftovers ---- */

static int remove_leftover(void *self, const char *name)
{
    struct storage *storage = self;
    uint64_t gone = storage_id_of(name, ".gone");
    bool outdated = gone != 0 && gone < storage_newest_id(storage);
    if (storage_id_of(name, ".tmp") == 0 && storage_id_of(name, ".del") == 0 && !outdated)
        return 0;
    struct storage_path path;
    snprintf(path.text, sizeof path.text, "%s/%s", storage->root, name);
    return storage_remove_tree(path.text);
}

struct sweep { struct storage *storage; struct names held; };

static int remove_unnamed(void *self, const char *name)
{
    struct sweep *sweep = self;
    return names_has(&sweep->held, name) ? 0 : storage_remove_tree(storage_shared_path(sweep->storage, name).text);
}

static bool may_sweep(const struct storage_list *list)
{
    const struct storage_item *undecided = find_undecided(list);
    if (undecided != NULL)
        log_warn("unused files stay: %s", undecided->reason);
    bool any_valid = false;
    for (uint32_t i = 0; i < list->count; i++)
        any_valid = any_valid || list->items[i].code == 0;
    return any_valid && undecided == NULL;
}

static int sweep_shared(struct storage *storage, const struct storage_list *list)
{
    struct sweep sweep = { .storage = storage };
    for (uint32_t i = 0; i < list->count; i++) {
        const struct storage_item *item = &list->items[i];
        if (item->manifest != NULL)
            names_add_files(&sweep.held, item->manifest);
        else
            log_warn("kept for a look at it, its files are not: %s", item->reason);
    }
    names_sort(&sweep.held);
    int status = storage_each_entry(storage->shared, remove_unnamed, &sweep);
    free(sweep.held.list);
    return status;
}

int storage_clean(struct storage *storage)
{
    int status = storage_each_entry(storage->root, remove_leftover, storage);
    struct storage_list list = { 0 };
    if (status == 0)
        status = storage_list(storage, false, &list);
    if (status == 0 && may_sweep(&list))
        status = sweep_shared(storage, &list);
    if (list.items != NULL)
        storage_list_free(&list);
    return status;
}

/* ---- Tags ---- */

static int rewrite(struct storage *storage, const struct manifest *manifest)
{
    uint64_t id = manifest->head.id;
    struct storage_path directory = storage_checkpoint_path(storage, id, "", NULL);
    struct storage_path fresh = storage_checkpoint_path(storage, id, "", "manifest.new"), old = storage_checkpoint_path(storage, id, "", "manifest");
    int status = storage_write_manifest(directory.text, "manifest.new", manifest);
    crash_point("tag.before_rename");
    if (status == 0 && rename(fresh.text, old.text) < 0)
        status = error_set_errno(ERROR_IO, "%s: rename", fresh.text);
    crash_point("tag.after_rename");
    return status < 0 ? status : storage_sync_directory(directory.text);
}

/* A tag that looks like a number could not be told from an id. */
static bool is_number(const char *tag)
{
    return tag[strspn(tag, "0123456789")] == 0;
}

int storage_tag(struct storage *storage, uint64_t id, const char *tag)
{
    if (is_number(tag))
        return error_set(ERROR_ARGUMENT, "'%s' cannot be a tag: a tag is not empty and not a number", tag);
    uint64_t owner;
    int status = storage_find(storage, tag, &owner);
    if (status == 0)
        return owner == id ? 0 : error_set(ERROR_EXISTS, "checkpoint %llu has the tag '%s'", (unsigned long long)owner, tag);
    struct manifest *manifest;
    status = status == ERROR_NOT_FOUND ? storage_load(storage, id, &manifest) : status;
    if (status < 0)
        return status;
    manifest_add_tag(manifest, tag);
    status = manifest_check(manifest) < 0 ? error_wrap(ERROR_ARGUMENT, "'%s' cannot be a tag", tag) : rewrite(storage, manifest);
    manifest_free(manifest);
    return status;
}
