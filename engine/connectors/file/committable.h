/*
 * What a checkpoint keeps of one subtask of a file sink. Its size follows the
 * parts that are not committed yet, not those that ever were.
 */
#pragma once

#include "base/buffer.h"
#include "connectors/file/part.h"

#define COMMITTABLE_CLOSED_MAX (1 << 20)

/* How far one subtask of a run had come: the parts below `whole` are whole, and of part `whole` the first `open_bytes` count. */
struct part_bound {
    uint64_t run;
    uint32_t subtask;
    uint64_t whole;
    uint64_t open_bytes;     /* 0: none of it */
};

struct committable {
    char prefix[PART_PREFIX_MAX + 1];
    char extension[PART_EXTENSION_MAX + 1];
    struct part_bound bound;
    uint64_t *closed;        /* counters below bound.whole: closed, and not known to have their final names */
    uint32_t closed_count;
};

/* Append. */
void committable_write(const struct committable *committable, struct buffer *out);
/* ERROR_CORRUPT. committable_deinit() frees what it allocates. */
int committable_read(struct slice bytes, struct committable *committable);
void committable_deinit(struct committable *committable);
/* A part of it. */
struct part committable_part(const struct committable *committable, uint64_t counter);
