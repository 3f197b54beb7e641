/* The splits that one worker reads, as the steps behind its sources know them. */
#include "dataflow/worker_internal.h"

#include "base/memory.h"

#include <stdlib.h>

struct worker_split { struct buffer name; int32_t room; };

uint32_t worker_split_add(struct worker *worker, const char *step, struct slice name)
{
    if (worker->split_count == worker->split_capacity) {
        worker->split_capacity = worker->split_capacity * 2 + 16;
        worker->splits = memory_resize(worker->splits, worker->split_capacity * sizeof worker->splits[0]);
    }
    struct worker_split *split = &worker->splits[worker->split_count++];
    split->room = BATCH_RECORDS_MAX;
    buffer_init(&split->name);
    buffer_append_slice(&split->name, slice_of_text(step)); /* two sources may read one file */
    buffer_append(&split->name, ":", 1);
    buffer_append_slice(&split->name, name);
    return worker->split_count;
}

struct slice worker_split_name(const struct worker *worker, uint32_t number)
{
    return number == 0 ? slice_of("", 0) : buffer_slice(&worker->splits[number - 1].name);
}

void worker_split_set_room(struct worker *worker, uint32_t number, int32_t room)
{
    if (number > 0)
        worker->splits[number - 1].room = room < 1 || room > BATCH_RECORDS_MAX ? BATCH_RECORDS_MAX : room;
}

int32_t worker_split_room(const struct worker *worker, uint32_t number)
{
    return worker->splits[number - 1].room;
}

void splits_free(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->split_count; i++)
        buffer_deinit(&worker->splits[i].name);
    free(worker->splits);
}
