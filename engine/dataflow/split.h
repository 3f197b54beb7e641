/*
 * A split of a source as its subtasks share it, and where it stands among the others
 * after a restore.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* <cdef> */
enum split_state { SPLIT_OPEN = 0, SPLIT_DONE = 1, SPLIT_WAITING = 2 };

struct split {
    char *name;
    size_t name_bytes;
    uint64_t place;        /* splits are handed out by rising places */
    char *position;
    size_t position_bytes;
    bool done;
};

/*
 * Subtasks save what waits at barriers of their own: one may have taken a split whose
 * predecessor another one saw waiting, and took behind its barrier. Of `splits` the first
 * `open` were being read, the others wait, in any order: these are put in order. The answer
 * is how many, from the first, must be open before any is read on: with a watermark of a
 * later split alone, the records of the earlier one would be late.
 */
uint32_t split_order(struct split *splits, uint32_t open, uint32_t count);
/* </cdef> */

void split_deinit(struct split *split);
