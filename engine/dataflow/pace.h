/*
 * The subtasks of a source keep pace with each other. A worker asks its sources when nothing else is to be done; beside
 * a step that is never without input, because most records have its keys, one would not be read at all while those of
 * all other workers go on, and event time would wait for it. So each counts how often it was asked, and one that is
 * behind the furthest is asked first (poll.c).
 *
 * Only what could be read counts: a source that has nothing, or waits for its time, is behind nobody.
 *
 * Owner    the dataflow: pace_new(), pace_free().
 * Thread   pace_new(), pace_free(): the one that builds. Others: each worker for its own chains.
 */
#pragma once

#include "dataflow/worker_internal.h"

struct pace *pace_new(const struct plan *plan);
void pace_free(struct pace *pace);

/* A source of the chain is asked. */
void pace_step(const struct worker *worker, struct chain *chain);
/* None of its sources can be read now. */
void pace_rest(const struct worker *worker, struct chain *chain);
bool pace_is_behind(const struct worker *worker, const struct chain *chain);
