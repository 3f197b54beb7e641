#include "connectors/file/follow.h"

#include "base/hash.h"
#include "base/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t identity(int folder, const char *path, int flags, bool *certain)
{
    struct statx file;
    if (statx(folder, path, flags, STATX_INO | STATX_BTIME, &file) < 0)
        return 0;
    bool born = (file.stx_mask & STATX_BTIME) != 0;
    if (certain != NULL)
        *certain = born;
    int64_t parts[3] = { (int64_t)file.stx_ino, born ? file.stx_btime.tv_sec : 0, born ? file.stx_btime.tv_nsec : 0 };
    return hash_bytes(parts, sizeof parts) | 1;
}

uint64_t follow_identity(const char *path, bool *certain)
{
    return identity(AT_FDCWD, path, 0, certain);
}

uint64_t follow_identity_of(int descriptor, bool *certain)
{
    return identity(descriptor, "", AT_EMPTY_PATH, certain);
}

enum follow_event follow_look(const char *path, int descriptor, uint64_t offset)
{
    struct stat open_file, named_file;
    if (fstat(descriptor, &open_file) < 0)
        return FOLLOW_NOTHING;
    if ((uint64_t)open_file.st_size < offset)
        return FOLLOW_CUT;
    if (stat(path, &named_file) < 0)
        return FOLLOW_NOTHING; /* between the old file's move and the making of the new one */
    bool same = open_file.st_ino == named_file.st_ino && open_file.st_dev == named_file.st_dev;
    return !same && named_file.st_size > 0 ? FOLLOW_ROTATED : FOLLOW_NOTHING;
}

static DIR *folder_open(const char *path)
{
    char *copy = memory_copy_text(path);
    DIR *entries = opendir(dirname(copy));
    free(copy);
    return entries;
}

/* The path of a file with this name beside `path`. */
static char *beside(const char *path, const char *name)
{
    char *copy = memory_copy_text(path);
    char joined[PATH_MAX + NAME_MAX + 2];
    snprintf(joined, sizeof joined, "%s/%s", dirname(copy), name);
    free(copy);
    return memory_copy_text(joined);
}

char *follow_find(const char *path, uint64_t wanted)
{
    DIR *entries = folder_open(path);
    char *found = NULL;
    for (struct dirent *entry; entries != NULL && found == NULL && (entry = readdir(entries)) != NULL;) {
        if (identity(dirfd(entries), entry->d_name, 0, NULL) == wanted)
            found = beside(path, entry->d_name);
    }
    if (entries != NULL)
        closedir(entries);
    return found;
}

/* Those that are there change places with others, to the front. */
uint32_t follow_keep(const char *path, uint64_t *identities, uint32_t count)
{
    DIR *entries = folder_open(path);
    uint32_t kept = 0;
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        uint64_t there = identity(dirfd(entries), entry->d_name, 0, NULL);
        for (uint32_t i = kept; i < count; i++) {
            if (identities[i] != there)
                continue;
            identities[i] = identities[kept];
            identities[kept++] = there;
            break;
        }
    }
    if (entries != NULL)
        closedir(entries);
    return kept;
}
