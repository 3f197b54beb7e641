/* What other threads look at in a worker: counters, and which callback runs. */
#include "dataflow/worker_internal.h"

void worker_step_counters(const struct worker *worker, uint32_t step, struct step_counters *counters)
{
    struct operator *op = &worker->ops[step];
    counters->records_in = atomic_load_explicit(&op->records_in, memory_order_relaxed);
    counters->records_out = atomic_load_explicit(&op->records_out, memory_order_relaxed);
    counters->late = atomic_load_explicit(&op->late, memory_order_relaxed);
    counters->errors = atomic_load_explicit(&op->errors, memory_order_relaxed);
}

void worker_enter(struct worker *worker, int step)
{
    atomic_store_explicit(&worker->running_step, step, memory_order_relaxed);
}

int worker_running(const struct worker *worker, uint64_t *progress)
{
    int step = atomic_load_explicit(&worker->running_step, memory_order_relaxed);
    int standing = atomic_load_explicit(&worker->standing_step, memory_order_relaxed);
    if (standing >= 0) {
        *progress = 0;
        return standing;
    }
    if (step >= 0) {
        const struct call *call = worker->ops[step].call;
        uint64_t serial = (uint64_t)__atomic_load_n(&call->batch_serial, __ATOMIC_RELAXED);
        *progress = serial << 32 | (uint32_t)__atomic_load_n(&call->index, __ATOMIC_RELAXED);
    }
    return step;
}

bool worker_runs(const struct worker *worker, int step)
{
    return atomic_load_explicit(&worker->running_step, memory_order_relaxed) == step;
}
