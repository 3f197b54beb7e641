#include "connectors/file/watch.h"

#include "base/memory.h"
#include "connectors/file/follow.h"

#include <stdlib.h>

struct watched_file {
    uint64_t identity;
    bool moved;              /* it is read under another name */
    char *path;
};

void watch_init(struct watch *watch)
{
    *watch = (struct watch){ 0 };
}

void watch_deinit(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        free(watch->files[i].path);
    free(watch->files);
}

static int compare(const void *a, const void *b)
{
    const struct watched_file *left = a, *right = b;
    return (left->identity > right->identity) - (left->identity < right->identity);
}

/* Where an identity may be given to another file later, a file read twice is better than one not read. */
static bool is_moved(const struct watch *watch, const char *path, uint64_t identity, bool certain)
{
    struct watched_file wanted = { .identity = identity };
    if (!certain || watch->count == 0)
        return false;
    const struct watched_file *known = bsearch(&wanted, watch->files, watch->count, sizeof watch->files[0], compare);
    return known != NULL && (known->moved || strcmp(known->path, path) != 0);
}

void watch_update(struct watch *watch, struct file_list *list)
{
    struct watch now = { memory_new((list->count + 1) * sizeof now.files[0]), 0 };
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        char *path = list->paths[i];
        bool certain = false;
        uint64_t identity = follow_identity(path, &certain);
        bool moved = is_moved(watch, path, identity, certain);
        if (identity != 0)
            now.files[now.count++] = (struct watched_file){ identity, moved, memory_copy_text(path) };
        if (moved)
            free(path);
        else
            list->paths[kept++] = path;
    }
    list->count = kept;
    if (now.count > 0)
        qsort(now.files, now.count, sizeof now.files[0], compare);
    watch_deinit(watch);
    *watch = now;
}
