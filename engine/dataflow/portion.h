/*
 * How many records a chain takes in at once. Between two inputs a worker begins checkpoints, stops, and lets its other
 * chains work; and a barrier waits for all that is on its way before it. So a chain takes in no more than it has lately
 * done in plan->portion_ns, where the time counts until the chains behind it have room again: its sources emit no more at
 * once, and its rings, which share it, hold no more (the buffer debloating of Flink, FLIP-183, also for sources). What
 * is fast takes whole batches, and its rings are bounded in bytes alone. A chain begins with a single record, and takes
 * up to twice as many each time.
 *
 * Thread   the worker; before it starts, the one that builds it.
 */
#pragma once

#include "codec/batch.h"

#include <stdbool.h>

#define PORTION_NS 20000000u

struct worker;
struct chain;
struct operator;

struct portion {
    int32_t room;                   /* records, 1 to BATCH_RECORDS_MAX */
    uint64_t begun_ns, worked_ns;   /* of what was taken in last; 0: nothing is under way, or is still being worked on */
    const struct operator *source;  /* that it came from, or NULL: from a ring */
    uint64_t records;               /* of a source while it is worked on: what it emitted before */
    bool pressed;                   /* the chains behind had no room after it */
};

/* <cdef> */
/* The portion behind one in which so many records (not 0) took so long, where `limit_ns` is the time for one. */
int32_t portion_next(uint64_t limit_ns, int32_t room, uint64_t records, uint64_t ns);
/* </cdef> */

void portion_init(const struct worker *worker, struct chain *chain);
/* Records were taken from a ring, or a source is asked for some. */
void portion_begin(struct worker *worker, struct chain *chain, const struct operator *source, uint64_t records);
/* Between two inputs: what was begun last, if that was records, is worked on no more. */
void portion_worked(struct worker *worker);
/* The chain is asked for input; `pressed`: those behind it have no room. */
void portion_look(const struct worker *worker, struct chain *chain, bool pressed);
