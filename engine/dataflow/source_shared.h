/*
 * The splits of one source, shared by its subtasks: which there are, which are
 * being read, which are done.
 *
 * Every subtask saves, at its own barrier, the splits that it has taken (with
 * their positions), those that it has finished, and those that wait. A split that
 * a subtask takes behind its barrier was waiting at it, so no split is missed,
 * whatever the order of the barriers; one that another subtask had taken by then
 * counts as taken. What nobody saved (it appeared later) is found again by
 * discover(), for which the parallelism of the first start is saved too.
 *
 * Thread   any; a mutex inside.
 */
#pragma once

#include "dataflow/checkpointing.h"
#include "dataflow/plan.h"
#include "dataflow/split.h"

struct source *source_shared_source(struct source_shared *shared);
/* The next split to read, in order: 1 and the split (the caller frees its texts), 0: none now, SOURCE_END: none ever. */
int source_shared_take(struct source_shared *shared, struct split *split);
/*
 * Those that were being read at the checkpoint, and those before them, are shared out before any is
 * read on, so that watermarks know of all of them: the same answers for the share of one subtask, 0 behind its last.
 */
int source_shared_take_restored(struct source_shared *shared, uint32_t subtask, struct split *split);
uint32_t source_shared_first_parallelism(const struct source_shared *shared);
/* Splits that were done before this attempt: one subtask saves them again. */
uint32_t source_shared_done(const struct source_shared *shared, const struct split **done);
/* The splits that nobody has taken yet; `visit` is called with the lock held. */
void source_shared_each_waiting(struct source_shared *shared, void (*visit)(void *self, const struct split *split), void *self);
