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

uint64_t follow_identity_of(int descriptor)
{
    return identity(descriptor, "", AT_EMPTY_PATH, NULL);
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

static char *join(const char *folder, const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return memory_copy_text(path);
}

char *follow_find(const char *path, uint64_t wanted)
{
    char *copy = memory_copy_text(path);
    const char *folder = dirname(copy);
    DIR *entries = opendir(folder);
    char *found = NULL;
    for (struct dirent *entry; entries != NULL && found == NULL && (entry = readdir(entries)) != NULL;) {
        char *candidate = join(folder, entry->d_name);
        if (follow_identity(candidate, NULL) == wanted)
            found = candidate;
        else
            free(candidate);
    }
    if (entries != NULL)
        closedir(entries);
    free(copy);
    return found;
}
