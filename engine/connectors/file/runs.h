/*
 * The history of a file sink, in a small hidden file of its folder: one line for
 * each run (attempt) of the job, in order, with the prefix of its parts and how far the checkpoint that
 * it began from had come. It tells whose a part is, and which
 * parts a restore of an older checkpoint must withdraw or take back:
 *
 *   00000000000004d2 part
 *   00000000000004d3 part 00000000000004d2:0:7:8192 00000000000004d2:1:5:0
 *
 * the second run began where subtask 0 of the first had seven whole parts
 * and 8192 bytes of the eighth, and subtask 1 five whole parts.
 *
 * Owner    runs_read() allocates, runs_deinit() frees.
 */
#pragma once

#include "connectors/file/committable.h"

struct run {
    uint64_t id;
    char prefix[PART_PREFIX_MAX + 1];
    struct part_bound *bounds;
    uint32_t count;
};

struct runs {
    struct run *list;
    uint32_t count;
    uint32_t *order;         /* lines by id */
};

/* The history of this step; empty where there is none. A line that a crash cut off is left out; damage is ERROR_CORRUPT. */
int runs_read(struct runs *runs, const struct part_folder *folder, const char *step_name);
/* The histories of all steps that wrote to the folder. */
int runs_read_all(struct runs *runs, const struct part_folder *folder);
void runs_deinit(struct runs *runs);
/* NULL: not known. */
const struct run *runs_find(const struct runs *runs, uint64_t id);

/* Append a line, durable. ERROR_ARGUMENT where another step of the same run writes parts of the same prefix to this folder. */
int runs_append(const struct part_folder *folder, const char *step_name, const struct run *run);
