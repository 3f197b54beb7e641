#include "dataflow/split.h"

#include <stdlib.h>

void split_deinit(struct split *split)
{
    free(split->name);
    free(split->position);
    *split = (struct split){ 0 };
}

static int place_compare(const void *a, const void *b)
{
    const struct split *left = a, *right = b;
    return (left->place > right->place) - (left->place < right->place);
}

uint32_t split_order(struct split *splits, uint32_t open, uint32_t count)
{
    if (open == count)
        return count;
    qsort(splits + open, count - open, sizeof splits[0], place_compare);
    uint64_t latest = 0;
    for (uint32_t i = 0; i < open; i++)
        latest = splits[i].place > latest ? splits[i].place : latest;
    uint32_t first = open;
    while (first < count && splits[first].place < latest)
        first++;
    return first;
}
