/* The published parts of a folder, for reading them back in the order in which they were written. */
#include "connectors/file/file_sink.h"

#include "base/memory.h"
#include "connectors/file/part.h"
#include "connectors/file/runs.h"

#include <stdlib.h>

struct placed_part {
    const struct part *part;
    uint32_t run;            /* its line; parts of unknown runs come last */
};

static int compare(const void *a, const void *b)
{
    const struct placed_part *left = a, *right = b;
    if (left->run != right->run)
        return left->run < right->run ? -1 : 1;
    if (left->part->run != right->part->run)
        return left->part->run < right->part->run ? -1 : 1;
    if (left->part->subtask != right->part->subtask)
        return left->part->subtask < right->part->subtask ? -1 : 1;
    return (left->part->counter > right->part->counter) - (left->part->counter < right->part->counter);
}

static void paths_append(const struct part_folder *folder, const struct part_list *list, const struct runs *runs, struct buffer *paths)
{
    struct placed_part *placed = memory_new_zeroed(list->count + 1, sizeof placed[0]);
    uint64_t count = 0;
    for (uint64_t i = 0; i < list->count; i++) {
        const struct run *run = runs_find(runs, list->entries[i].part.run);
        uint32_t line = run == NULL ? runs->count : (uint32_t)(run - runs->list);
        if (list->entries[i].state == PART_PUBLISHED)
            placed[count++] = (struct placed_part){ &list->entries[i].part, line };
    }
    qsort(placed, count, sizeof placed[0], compare);
    for (uint64_t i = 0; i < count; i++) {
        char name[PART_NAME_BYTES];
        part_format(placed[i].part, PART_PUBLISHED, name);
        buffer_append_format(paths, "%s/%s", folder->path, name);
        buffer_append_byte(paths, 0);
    }
    free(placed);
}

int file_sink_paths(const char *folder_path, struct buffer *paths)
{
    struct part_folder folder;
    struct part_list list = { 0 };
    struct runs runs = { 0 };
    int status = part_folder_open(&folder, folder_path);
    if (status < 0)
        return status;
    status = part_list_read(&list, &folder);
    if (status == 0)
        status = runs_read_all(&runs, &folder);
    if (status == 0)
        paths_append(&folder, &list, &runs, paths);
    runs_deinit(&runs);
    part_list_deinit(&list);
    part_folder_close(&folder);
    return status;
}
