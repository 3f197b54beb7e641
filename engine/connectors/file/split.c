#include "connectors/file/split.h"

#include "base/error.h"
#include "base/memory.h"
#include "connectors/file/input.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCAN_BYTES_MIN 4096
#define SCAN_BYTES_MAX (256 * 1024)

static bool number_parse(const char **text, uint64_t *number)
{
    char *end;
    errno = 0;
    if (**text < '0' || **text > '9')
        return false;
    *number = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

int file_split_parse(struct file_split *split, struct slice name)
{
    *split = (struct file_split){ .end = RANGE_TO_FILE_END };
    if (name.bytes > PATH_MAX + 64 || memchr(name.data, 0, name.bytes) != NULL)
        return error_set(ERROR_CORRUPT, "a split with a name of %zu bytes", name.bytes);
    char *text = memory_copy(name.data, name.bytes);
    char *mark = strrchr(text, '#');
    const char *at = mark == NULL ? text : mark + 1;
    bool valid = mark != NULL && mark != text && number_parse(&at, &split->offset);
    if (valid && *at == '-') {
        at++;
        valid = number_parse(&at, &split->end) && split->end > split->offset;
    }
    if (!valid || *at != 0) {
        int status = error_set(ERROR_CORRUPT, "'%s' is not the name of a file's split", text);
        free(text);
        return status;
    }
    *mark = 0;
    split->path = text;
    return 0;
}

void file_split_deinit(struct file_split *split)
{
    free(split->path);
    split->path = NULL;
}

void file_split_tell(const char *path, uint64_t file_bytes, uint64_t split_bytes, struct split_list *splits)
{
    char name[PATH_MAX + 64];
    uint64_t offset = 0;
    while (split_bytes > 0 && file_bytes - offset > split_bytes) {
        int bytes = snprintf(name, sizeof name, "%s#%" PRIu64 "-%" PRIu64, path, offset, offset + split_bytes);
        splits->add(splits->self, slice_of(name, (size_t)bytes));
        offset += split_bytes;
    }
    int bytes = snprintf(name, sizeof name, "%s#%" PRIu64, path, offset);
    splits->add(splits->self, slice_of(name, (size_t)bytes));
}

/* The offset behind the first line end at or after `from`, or the end of the file. Most lines are short: small reads first. */
static int line_begin(struct file_input *input, uint64_t from, uint64_t *begin)
{
    char data[SCAN_BYTES_MAX];
    int status = plain_input.seek(input, from);
    if (status < 0)
        return status;
    for (size_t bytes = SCAN_BYTES_MIN;; bytes = SCAN_BYTES_MAX) {
        int64_t got = plain_input.read(input, data, bytes);
        if (got < 0)
            return (int)got;
        const char *end = memchr(data, '\n', (size_t)got);
        *begin = from + (end == NULL ? (uint64_t)got : (uint64_t)(end - data) + 1);
        if (end != NULL || got == 0)
            return 0;
        from = *begin;
    }
}

static int line_begins(struct file_input *input, const struct file_split *split, uint64_t *begin, uint64_t *end)
{
    int status = split->offset == 0 ? 0 : line_begin(input, split->offset, begin);
    if (status == 0 && split->end != RANGE_TO_FILE_END)
        status = line_begin(input, split->end, end);
    return status;
}

int file_split_lines(const struct file_split *split, uint64_t *begin, uint64_t *end)
{
    *begin = split->offset;
    *end = RANGE_TO_FILE_END;
    if (split->offset == 0 && split->end == RANGE_TO_FILE_END)
        return 0;
    struct file_input *input;
    int status = plain_input.open(&input, split->path);
    if (status < 0)
        return status;
    status = line_begins(input, split, begin, end);
    plain_input.close(input);
    return status;
}

void file_list_init(struct file_list *list)
{
    *list = (struct file_list){ 0 };
}

void file_list_deinit(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
}

void file_list_append(struct file_list *list, const char *path)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 16;
        list->paths = memory_resize(list->paths, list->capacity * sizeof list->paths[0]);
    }
    list->paths[list->count++] = memory_copy_text(path);
}

static _Thread_local int glob_errno;

/* A folder that cannot be read: unless it is none, or gone by now, its files would be left out without a word. */
static int folder_failed(const char *path, int number)
{
    (void)path;
    glob_errno = number;
    return number != ENOENT && number != ENOTDIR && number != ELOOP;
}

static int glob_add(struct file_list *list, const char *pattern, bool *found)
{
    glob_t matches;
    int status = glob(pattern, GLOB_NOSORT | GLOB_BRACE, folder_failed, &matches);
    if (status == GLOB_NOMATCH)
        return 0;
    if (status != 0) {
        globfree(&matches);
        errno = status == GLOB_ABORTED ? glob_errno : ENOMEM;
        return error_set_errno(ERROR_IO, "cannot list '%s'", pattern);
    }
    for (size_t i = 0; i < matches.gl_pathc; i++) {
        struct stat file;
        if (stat(matches.gl_pathv[i], &file) < 0 || !S_ISREG(file.st_mode))
            continue;        /* a directory, or gone since it was listed */
        file_list_append(list, matches.gl_pathv[i]);
        *found = true;
    }
    globfree(&matches);
    return 0;
}

/* A file whose name looks like a pattern is a file. */
int file_list_add(struct file_list *list, const char *pattern, bool *found)
{
    struct stat file;
    *found = false;
    if (strlen(pattern) >= PATH_MAX)
        return error_set(ERROR_ARGUMENT, "a path of %zu bytes", strlen(pattern));
    if (stat(pattern, &file) < 0)
        return glob_add(list, pattern, found);
    if (!S_ISREG(file.st_mode))
        return error_set(ERROR_ARGUMENT, "%s is not a regular file", pattern);
    file_list_append(list, pattern);
    *found = true;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void file_list_sort(struct file_list *list)
{
    if (list->count == 0)
        return;
    qsort(list->paths, list->count, sizeof list->paths[0], compare);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        if (strcmp(list->paths[i], list->paths[kept - 1]) == 0)
            free(list->paths[i]);
        else
            list->paths[kept++] = list->paths[i];
    }
    list->count = kept;
}

bool file_list_has(const struct file_list *list, const char *path)
{
    return list->count > 0 && bsearch(&path, list->paths, list->count, sizeof list->paths[0], compare) != NULL;
}
