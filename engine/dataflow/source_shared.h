/*
 * The splits of one source, shared by its subtasks: which there are, which are
 * being read, which are done.
 *
 * A checkpoint needs no word from here: every subtask saves the splits that it
 * has taken (with their positions) and those that it has finished; what nobody
 * saved has not been taken, and is found again by discover() after a restore.
 * For that discover() must tell the same names again, so the parallelism of the
 * first start is saved too.
 *
 * Thread   any; a mutex inside.
 */
#pragma once

#include "dataflow/checkpointing.h"
#include "dataflow/plan.h"

struct split { char *name; size_t name_bytes; char *position; size_t position_bytes; bool done; };

struct source *source_shared_source(struct source_shared *shared);
/* The next split to read, in order: 1 and the split (the caller frees its texts), 0: none now, SOURCE_END: none ever. */
int source_shared_take(struct source_shared *shared, struct split *split);
uint32_t source_shared_first_parallelism(const struct source_shared *shared);
/* Splits that were done before this attempt: one subtask saves them again. */
uint32_t source_shared_done(const struct source_shared *shared, const struct split **done);
void split_deinit(struct split *split);
