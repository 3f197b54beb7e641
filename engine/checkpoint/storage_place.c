/*
 * Checkpoints in another place than the data directory: <data>/checkpoints is a
 * symbolic link to it then, so that whoever has the data directory finds them.
 */
#include "checkpoint/storage_internal.h"

#include "base/clock.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What a killed process held is free a moment after it. */
#define LOCK_WAIT_NS 1000000000u
#define LOCK_RETRY_NS 5000000

static bool is_of_checkpoints(const char *name)
{
    return strcmp(name, "shared") == 0 || strncmp(name, "chk-", 4) == 0;
}

/* Two jobs in one place would take each other's files for garbage. */
static int check_free(const char *place)
{
    DIR *directory = opendir(place);
    if (directory == NULL)
        return error_set_errno(ERROR_IO, "checkpoint.storage: %s", place);
    int status = 0;
    const struct dirent *entry;
    while (status == 0 && (entry = readdir(directory)) != NULL) {
        if (is_of_checkpoints(entry->d_name))
            status = error_set(ERROR_REFUSED, "checkpoint.storage: %s has checkpoints of another data directory in it", place);
    }
    closedir(directory);
    return status;
}

/* Who looked for checkpoints before the job was loaded has made folders with nothing in them. */
static int remove_empty(const char *link)
{
    char shared[PATH_MAX + 16];
    snprintf(shared, sizeof shared, "%s/shared", link);
    bool gone = (rmdir(shared) == 0 || errno == ENOENT) && (rmdir(link) == 0 || errno == ENOENT);
    return gone ? 0 : error_set(ERROR_REFUSED, "checkpoint.storage: there are checkpoints in %s already; they have to be moved to the new place by hand", link);
}

static int link_new(const char *data, const char *link, const char *place)
{
    int status = check_free(place);
    if (status == 0 && symlink(place, link) < 0)
        status = error_set_errno(ERROR_IO, "checkpoint.storage: %s", link);
    return status < 0 ? status : storage_sync_directory(data);
}

int storage_place(const char *data, const char *directory)
{
    char link[PATH_MAX], place[PATH_MAX], now[PATH_MAX];
    if (snprintf(link, sizeof link, "%s/checkpoints", data) >= (int)sizeof link - 16)
        return error_set(ERROR_TOO_LARGE, "the path of the data directory is too long");
    if ((mkdir(data, 0777) < 0 && errno != EEXIST) || (mkdir(directory, 0777) < 0 && errno != EEXIST) || realpath(directory, place) == NULL)
        return error_set_errno(ERROR_IO, "checkpoint.storage: %s", directory);
    struct stat found;
    if (lstat(link, &found) < 0)
        return errno == ENOENT ? link_new(data, link, place) : error_set_errno(ERROR_IO, "%s", link);
    if (realpath(link, now) != NULL && strcmp(now, place) == 0)
        return 0;
    if (S_ISLNK(found.st_mode))
        return error_set(ERROR_REFUSED, "checkpoint.storage: %s, but %s leads to another place; the checkpoints have to be moved by hand", place, link);
    int status = remove_empty(link);
    return status < 0 ? status : link_new(data, link, place);
}

int storage_lock(struct storage *storage)
{
    storage->lock = open(storage->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (storage->lock < 0)
        return error_set_errno(ERROR_IO, "%s", storage->root);
    uint64_t begun_ns = clock_monotonic_ns();
    while (flock(storage->lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_set_errno(ERROR_IO, "%s: lock", storage->root);
        if (clock_monotonic_ns() - begun_ns > LOCK_WAIT_NS)
            return error_set(ERROR_REFUSED, "another process has the checkpoints in %s, by another data directory", storage->root);
        nanosleep(&(struct timespec){ .tv_nsec = LOCK_RETRY_NS }, NULL);
    }
    return 0;
}
