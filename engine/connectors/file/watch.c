#include "connectors/file/watch.h"

#include "base/log.h"
#include "base/memory.h"
#include "connectors/file/follow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE_MIN 64
/* A file that so many looks did not find is gone; one or two may miss it while it gets another name. */
#define LOOKS_KEPT 100

struct watched_file {
    uint64_t identity;       /* 0: an empty place */
    uint64_t looked;         /* when it was seen last */
    uint64_t ended_bytes;    /* how many it had when it was read for good; 0: it was not */
    char *path;
};

void watch_init(struct watch *watch)
{
    *watch = (struct watch){ 0 };
    pthread_mutex_init(&watch->lock, NULL);
}

void watch_deinit(struct watch *watch)
{
    for (size_t i = 0; i < watch->size; i++)
        free(watch->files[i].path);
    free(watch->files);
    pthread_mutex_destroy(&watch->lock);
}

/* Where it is, or the empty place for it. Identities are hashes, and odd. */
static struct watched_file *find(const struct watch *watch, uint64_t identity)
{
    size_t at = (size_t)(identity >> 1) & (watch->size - 1);
    while (watch->files[at].identity != 0 && watch->files[at].identity != identity)
        at = (at + 1) & (watch->size - 1);
    return &watch->files[at];
}

static bool is_kept(const struct watch *watch, const struct watched_file *file)
{
    return file->identity != 0 && file->looked + LOOKS_KEPT >= watch->look;
}

/* Into a table that is at most a quarter full. */
static void make_room(struct watch *watch)
{
    struct watched_file *old = watch->files;
    size_t old_size = watch->size;
    watch->count = 0;
    for (size_t i = 0; i < old_size; i++)
        watch->count += is_kept(watch, &old[i]);
    for (watch->size = SIZE_MIN; watch->size < watch->count * 4; watch->size *= 2)
        ;
    watch->files = memory_new_zeroed(watch->size, sizeof watch->files[0]);
    for (size_t i = 0; i < old_size; i++) {
        if (is_kept(watch, &old[i]))
            *find(watch, old[i].identity) = old[i];
        else
            free(old[i].path);
    }
    free(old);
}

static void add(struct watch *watch, const char *path, uint64_t identity)
{
    if ((watch->count + 1) * 2 > watch->size)
        make_room(watch);
    struct watched_file *file = find(watch, identity);
    watch->count += file->identity == 0;
    free(file->path);
    *file = (struct watched_file){ identity, watch->look, 0, memory_copy_text(path) };
}

static bool is_others(const struct watch *watch, const char *path, uint64_t identity, bool certain)
{
    if (!certain || identity == 0 || watch->size == 0)
        return false;
    struct watched_file *file = find(watch, identity);
    if (file->identity == 0)
        return false;
    file->looked = watch->look;
    return strcmp(file->path, path) != 0;
}

void watch_restore(struct watch *watch, const char *path, uint64_t identity)
{
    pthread_mutex_lock(&watch->lock);
    add(watch, path, identity);
    pthread_mutex_unlock(&watch->lock);
}

int watch_open(struct watch *watch, const char *path, const struct file_input_vtab *vtab, struct file_input **input)
{
    bool certain = false;
    pthread_mutex_lock(&watch->lock);
    int status = vtab->open(input, path);
    uint64_t identity = status < 0 ? 0 : follow_identity_of(vtab->descriptor(*input), &certain);
    if (status == 0 && is_others(watch, path, identity, certain)) {
        vtab->close(*input);
        *input = NULL;
    } else if (status == 0) {
        add(watch, path, identity);
        status = 1;
    }
    pthread_mutex_unlock(&watch->lock);
    return status;
}

void watch_ended(struct watch *watch, const char *path, int descriptor)
{
    struct stat file;
    uint64_t identity = follow_identity_of(descriptor, NULL);
    if (identity == 0 || fstat(descriptor, &file) < 0)
        return;
    pthread_mutex_lock(&watch->lock);
    add(watch, path, identity);
    find(watch, identity)->ended_bytes = (uint64_t)file.st_size;
    pthread_mutex_unlock(&watch->lock);
}

/* A file that was read for good: is it as it was then? */
static void growth_tell(const struct watch *watch, const char *path, uint64_t identity)
{
    struct watched_file *known = watch->size == 0 ? NULL : find(watch, identity);
    struct stat file;
    if (known == NULL || known->ended_bytes == 0 || stat(path, &file) < 0 || (uint64_t)file.st_size <= known->ended_bytes)
        return;
    known->ended_bytes = (uint64_t)file.st_size;
    log_warn("%s: has grown since it was read: of a compressed file that is followed nothing behind its first end is read", path);
}

bool watch_is_others(struct watch *watch, const char *path)
{
    bool certain = false;
    pthread_mutex_lock(&watch->lock);
    uint64_t identity = follow_identity(path, &certain);
    bool others = is_others(watch, path, identity, certain);
    pthread_mutex_unlock(&watch->lock);
    return others;
}

void watch_look(struct watch *watch, struct file_list *list)
{
    size_t kept = 0;
    pthread_mutex_lock(&watch->lock);
    watch->look++;
    for (size_t i = 0; i < list->count; i++) {
        char *path = list->paths[i];
        bool certain = false;
        uint64_t identity = follow_identity(path, &certain);
        growth_tell(watch, path, identity);
        if (is_others(watch, path, identity, certain))
            free(path);
        else
            list->paths[kept++] = path;
    }
    list->count = kept;
    pthread_mutex_unlock(&watch->lock);
}
