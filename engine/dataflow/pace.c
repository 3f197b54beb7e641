#include "dataflow/pace.h"

#include "base/memory.h"

#include <stdlib.h>

#define LEAD_MAX 16 /* batches */

struct pace {
    atomic_uint_fast64_t *furthest; /* of the sources of each chain, by its number */
};

struct pace *pace_new(const struct plan *plan)
{
    struct pace *pace = memory_new(sizeof *pace);
    pace->furthest = memory_new_zeroed(plan->chain_count + 1, sizeof pace->furthest[0]);
    return pace;
}

void pace_free(struct pace *pace)
{
    free(pace->furthest);
    free(pace);
}

static uint64_t furthest_of(const struct worker *worker, const struct chain *chain)
{
    return atomic_load_explicit(&worker->dataflow->pace->furthest[chain->id], memory_order_relaxed);
}

/* Two that are furthest at once may leave the smaller number: the other puts it right with its next step. */
void pace_step(const struct worker *worker, struct chain *chain)
{
    chain->steps++;
    if (chain->steps > furthest_of(worker, chain))
        atomic_store_explicit(&worker->dataflow->pace->furthest[chain->id], chain->steps, memory_order_relaxed);
}

void pace_rest(const struct worker *worker, struct chain *chain)
{
    uint64_t furthest = furthest_of(worker, chain);
    if (chain->steps < furthest)
        chain->steps = furthest;
}

bool pace_is_behind(const struct worker *worker, const struct chain *chain)
{
    return chain->steps + LEAD_MAX < furthest_of(worker, chain);
}
