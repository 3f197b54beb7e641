/*
 * Which parts a restored checkpoint knows: those of its own run up to its bounds,
 * and those of the runs before it, each up to where the next had begun from it.
 * Nothing else that runs of the same *tree* published, those that go back to one
 * fresh start, is known to it; nor is what later trees published. What earlier
 * trees published was there before, and stays.
 *
 * Owner    history_init() on the caller's memory, history_deinit() frees.
 */
#pragma once

#include "connectors/file/runs.h"

struct history {
    struct runs runs;
    struct part_bound *bounds;   /* those of the checkpoint first; once all are read in order of run */
    uint32_t bound_count;
    uint64_t *own;               /* the runs of the checkpoint, in order */
    uint32_t own_count;
    uint32_t *trees;             /* of each run, the line of the fresh start that it goes back to */
    uint32_t tree;               /* of the checkpoint */
    bool whole;                  /* the checkpoint's runs all have their lines */
};

void history_init(struct history *history);
void history_deinit(struct history *history);
/* What the checkpoint says itself: before history_read(). */
void history_add(struct history *history, const struct part_bound *bound);
/* What its runs go back to. `older`: the checkpoint is not the newest one, or the job goes back before there was any. */
int history_read(struct history *history, const struct part_folder *folder, const char *step_name, bool older);

/* The run is one of the checkpoint's. */
bool history_has_own(const struct history *history, uint64_t run);
/* How far the checkpoint knows this subtask of a run, or NULL. */
const struct part_bound *history_bound(const struct history *history, uint64_t run, uint32_t subtask);
/* A run began behind so much of this part: it was published then. */
bool history_published(const struct history *history, const struct part *part, uint64_t bytes);
/* What this run published and the bounds do not cover is to be withdrawn. */
bool history_withdraws(const struct history *history, uint64_t run);
