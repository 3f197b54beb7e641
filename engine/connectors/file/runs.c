#include "connectors/file/runs.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BEGIN ".runs-"
#define FILE_NAME_BYTES 40
#define FILE_BYTES_MAX (256 * 1024 * 1024)

static void file_name(const char *step_name, char name[FILE_NAME_BYTES])
{
    snprintf(name, FILE_NAME_BYTES, FILE_BEGIN "%016" PRIx64, hash_bytes(step_name, strlen(step_name)));
}

/* The whole file; empty where there is none. */
static int file_read(const struct part_folder *folder, const char *name, struct buffer *text)
{
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_set_errno(ERROR_IO, "%s/%s", folder->path, name);
    ssize_t got;
    do {
        got = read(fd, buffer_reserve(text, 64 * 1024), 64 * 1024);
        text->bytes += got > 0 ? (size_t)got : 0;
    } while (got > 0 && text->bytes <= FILE_BYTES_MAX);
    int status = got < 0 ? error_set_errno(ERROR_IO, "%s/%s", folder->path, name) : 0;
    close(fd);
    if (text->bytes > FILE_BYTES_MAX)
        status = error_set(ERROR_TOO_LARGE, "%s/%s", folder->path, name);
    buffer_append_byte(text, 0);
    text->bytes--;
    return status;
}

static bool bound_parse(const char *word, struct part_bound *bound)
{
    int end = 0;
    int fields = sscanf(word, "%16" SCNx64 ":%10" SCNu32 ":%20" SCNu64 ":%19" SCNu64 "%n", &bound->run, &bound->subtask, &bound->whole,
                        &bound->open_bytes, &end);
    return fields == 4 && word[end] == 0;
}

/* One line, without its end; its blanks are overwritten. */
static bool line_parse(char *line, struct run *run)
{
    char *rest, *end;
    *run = (struct run){ 0 };
    char *id = strtok_r(line, " ", &rest);
    char *prefix = strtok_r(NULL, " ", &rest);
    if (prefix == NULL || !part_prefix_valid(prefix))
        return false;
    run->id = strtoull(id, &end, 16);
    strcpy(run->prefix, prefix);
    if (*end != 0)
        return false;
    for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL; run->count++) {
        run->bounds = memory_resize(run->bounds, (run->count + 1) * sizeof run->bounds[0]);
        if (!bound_parse(word, &run->bounds[run->count]))
            return false;
    }
    return true;
}

static int lines_parse(struct runs *runs, char *text)
{
    for (char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = 0;
        runs->list = memory_resize(runs->list, (runs->count + 1) * sizeof runs->list[0]);
        bool valid = line_parse(text, &runs->list[runs->count++]);
        if (!valid)
            return error_set(ERROR_CORRUPT, "line %" PRIu32 " is damaged", runs->count);
    }
    return 0;
}

/* Adds to `runs`. */
static int named_read(struct runs *runs, const struct part_folder *folder, const char *name)
{
    struct buffer text;
    buffer_init(&text);
    int status = file_read(folder, name, &text);
    if (status == 0 && text.bytes > 0 && (status = lines_parse(runs, text.data)) < 0)
        status = error_wrap(status, "%s/%s", folder->path, name);
    buffer_deinit(&text);
    if (status < 0)
        runs_deinit(runs);
    return status;
}

static int line_compare(const void *a, const void *b, void *list)
{
    const struct run *runs = list;
    uint64_t left = runs[*(const uint32_t *)a].id, right = runs[*(const uint32_t *)b].id;
    return (left > right) - (left < right);
}

static void order_make(struct runs *runs)
{
    runs->order = memory_new((runs->count + 1) * sizeof runs->order[0]);
    for (uint32_t i = 0; i < runs->count; i++)
        runs->order[i] = i;
    qsort_r(runs->order, runs->count, sizeof runs->order[0], line_compare, runs->list);
}

int runs_read(struct runs *runs, const struct part_folder *folder, const char *step_name)
{
    char name[FILE_NAME_BYTES];
    file_name(step_name, name);
    *runs = (struct runs){ 0 };
    int status = named_read(runs, folder, name);
    order_make(runs);
    return status;
}

int runs_read_all(struct runs *runs, const struct part_folder *folder)
{
    *runs = (struct runs){ 0 };
    DIR *names = opendir(folder->path);
    if (names == NULL)
        return error_set_errno(ERROR_IO, "%s", folder->path);
    int status = 0;
    for (struct dirent *name; status == 0 && (name = readdir(names)) != NULL;) {
        if (strncmp(name->d_name, FILE_BEGIN, strlen(FILE_BEGIN)) == 0)
            status = named_read(runs, folder, name->d_name);
    }
    closedir(names);
    order_make(runs);
    return status;
}

void runs_deinit(struct runs *runs)
{
    for (uint32_t i = 0; i < runs->count; i++)
        free(runs->list[i].bounds);
    free(runs->list);
    free(runs->order);
    *runs = (struct runs){ 0 };
}

const struct run *runs_find(const struct runs *runs, uint64_t id)
{
    uint32_t low = 0, high = runs->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (runs->list[runs->order[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < runs->count && runs->list[runs->order[low]].id == id;
    return found ? &runs->list[runs->order[low]] : NULL;
}

static int other_check(const struct part_folder *folder, const char *name, const struct run *run)
{
    struct runs other = { 0 };
    int status = 0;
    bool damaged = named_read(&other, folder, name) < 0; /* which is its own sink's business */
    order_make(&other);
    const struct run *same = damaged ? NULL : runs_find(&other, run->id);
    if (same != NULL && strcmp(same->prefix, run->prefix) == 0)
        status = error_set(ERROR_ARGUMENT, "another sink of the job writes parts '%s-...' to %s: give each its own dir or prefix", run->prefix,
                           folder->path);
    runs_deinit(&other);
    return status;
}

/* Two sinks must not have parts of one name. */
static int others_check(const struct part_folder *folder, const char *own, const struct run *run)
{
    DIR *names = opendir(folder->path);
    if (names == NULL)
        return error_set_errno(ERROR_IO, "%s", folder->path);
    int status = 0;
    for (struct dirent *name; status == 0 && (name = readdir(names)) != NULL;) {
        if (strncmp(name->d_name, FILE_BEGIN, strlen(FILE_BEGIN)) == 0 && strcmp(name->d_name, own) != 0)
            status = other_check(folder, name->d_name, run);
    }
    closedir(names);
    return status;
}

static void line_format(const struct run *run, struct buffer *line)
{
    buffer_append_format(line, "%016" PRIx64 " %s", run->id, run->prefix);
    for (uint32_t i = 0; i < run->count; i++) {
        const struct part_bound *bound = &run->bounds[i];
        buffer_append_format(line, " %016" PRIx64 ":%" PRIu32 ":%" PRIu64 ":%" PRIu64, bound->run, bound->subtask, bound->whole,
                             bound->open_bytes);
    }
    buffer_append_byte(line, '\n');
}

/* Behind the last whole line: what a crash left of another one is overwritten. */
static int line_append(int fd, const char *known, size_t known_bytes, struct slice line)
{
    const char *end = known_bytes == 0 ? NULL : memrchr(known, '\n', known_bytes);
    off_t at = end == NULL ? 0 : end - known + 1;
    if (ftruncate(fd, at) < 0 || pwrite(fd, line.data, line.bytes, at) != (ssize_t)line.bytes)
        return -1;
    return fsync(fd);
}

int runs_append(const struct part_folder *folder, const char *step_name, const struct run *run)
{
    char name[FILE_NAME_BYTES];
    struct buffer known, line;
    file_name(step_name, name);
    int status = others_check(folder, name, run);
    if (status < 0)
        return status;
    buffer_init(&known);
    buffer_init(&line);
    status = file_read(folder, name, &known);
    line_format(run, &line);
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (status == 0 && (fd < 0 || line_append(fd, known.data, known.bytes, buffer_slice(&line)) < 0))
        status = error_set_errno(ERROR_IO, "%s/%s", folder->path, name);
    if (fd >= 0)
        close(fd);
    buffer_deinit(&known);
    buffer_deinit(&line);
    return status == 0 ? part_folder_sync(folder) : status;
}
