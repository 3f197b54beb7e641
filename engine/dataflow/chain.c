/*
 * Chains: their inputs, the alignment of barriers over them, and their ends. A
 * barrier is carried out for a whole chain at once, since between two inputs
 * nothing is under way in it.
 *
 * A chain begins to take records when all its inputs have said what they know of
 * time: where a source's splits were at the checkpoint, that it has none. Else what is
 * late would depend on which of them speaks first, and records that were late before a
 * restore would open windows that have fired (S9).
 */
#include "dataflow/worker_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "dataflow/by_hand.h"

#include <stdlib.h>

#define SWEPT_PER_INPUT 2048
#define BASE_PER_INPUT 1024

void checkpoint_ack_free(struct checkpoint_ack *ack)
{
    for (uint32_t i = 0; i < ack->part_count; i++)
        buffer_deinit(&ack->parts[i].blob);
    free(ack->parts);
    free(ack);
}

static void channel_add(struct chain *chain, struct chain_channel channel)
{
    chain->channels = memory_resize(chain->channels, (chain->channel_count + 1) * sizeof chain->channels[0]);
    chain->channels[chain->channel_count++] = channel;
    chain->has_ring = chain->has_ring || channel.kind == CHANNEL_RING;
    chain->has_source = chain->has_source || channel.kind == CHANNEL_SOURCE;
}

static void ring_channels_add(struct worker *worker, struct chain *chain, struct operator *op)
{
    struct dataflow *dataflow = worker->dataflow;
    for (uint32_t from = 0; from < dataflow->plan->parallelism; from++) {
        struct ring *ring = dataflow_ring(dataflow, op->step->id, from, worker->subtask);
        channel_add(chain, (struct chain_channel){ .kind = CHANNEL_RING, .op = op, .ring = ring, .from = from, .number = from });
    }
}

static void hand_channels_add(struct worker *worker, struct chain *chain, struct operator *op)
{
    struct ring *rings = worker->dataflow->rings[op->step->id];
    for (uint32_t i = 0; i < op->step->channels; i++)
        channel_add(chain, (struct chain_channel){ .kind = CHANNEL_RING, .op = op, .ring = &rings[i], .from = worker->subtask, .number = i });
}

static void chain_fill(struct worker *worker, struct chain *chain)
{
    const struct plan *plan = worker->dataflow->plan;
    chain->ops = memory_new_zeroed(plan->count + 1, sizeof chain->ops[0]);
    for (uint32_t i = 0; i < plan->count; i++) {
        struct operator *op = &worker->ops[plan->order[i]];
        bool ring = op->step->kind == STEP_EXCHANGE && plan_has_rings(plan);
        if (op->step->chain == chain->id)
            chain->ops[chain->op_count++] = op;
        if (op->step->chain == chain->id && step_is_source(op->step))
            channel_add(chain, (struct chain_channel){ .kind = CHANNEL_SOURCE, .op = op });
        if (ring && op->step->receiver_chain == chain->id)
            ring_channels_add(worker, chain, op);
        if (op->step->chain == chain->id && op->step->kind == STEP_INPUT)
            hand_channels_add(worker, chain, op);
    }
    chain->aligner = aligner_new(chain->channel_count, plan->at_least_once);
    chain->started = plan->by_hand;
    portion_init(worker, chain);
}

static uint32_t chain_rank(const struct worker *worker, uint32_t chain)
{
    const struct plan *plan = worker->dataflow->plan;
    uint32_t rank = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->steps[i].chain == chain && plan->steps[i].rank > rank)
            rank = plan->steps[i].rank;
    }
    return rank;
}

/* Mark the chain and all that its records come to. */
static void reach(const struct plan *plan, uint32_t chain, bool *reached)
{
    reached[chain] = true;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        if (step->chain == chain && step->kind == STEP_EXCHANGE && plan_has_rings(plan) && !reached[step->receiver_chain])
            reach(plan, step->receiver_chain, reached);
    }
}

static void chains_relate(struct worker *worker)
{
    const struct plan *plan = worker->dataflow->plan;
    bool *reached = memory_new_zeroed((size_t)plan->chain_count * plan->chain_count + 1, sizeof *reached);
    for (uint32_t i = 0; i < plan->chain_count; i++)
        reach(plan, i, &reached[i * plan->chain_count]);
    for (uint32_t c = 0; c < worker->chain_count; c++) {
        struct chain *chain = &worker->chains[c];
        chain->related = memory_new_zeroed(plan->chain_count, sizeof chain->related[0]);
        for (uint32_t i = 0; i < plan->chain_count; i++)
            chain->related[i] = reached[chain->id * plan->chain_count + i] || reached[i * plan->chain_count + chain->id];
    }
    free(reached);
}

/* Downstream first: by the rank of their last step, falling. */
int chains_new(struct worker *worker)
{
    const struct plan *plan = worker->dataflow->plan;
    worker->chain_count = plan->chain_count;
    worker->chains = memory_new_zeroed(plan->chain_count + 1, sizeof worker->chains[0]);
    for (uint32_t i = 0; i < plan->chain_count; i++) {
        uint32_t at = i;
        for (; at > 0 && chain_rank(worker, worker->chains[at - 1].id) < chain_rank(worker, i); at--)
            worker->chains[at] = worker->chains[at - 1];
        worker->chains[at] = (struct chain){ .id = i };
    }
    for (uint32_t i = 0; i < plan->chain_count; i++)
        chain_fill(worker, &worker->chains[i]);
    chains_relate(worker);
    return 0;
}

const struct chain *worker_chain(const struct worker *worker, const struct step *step)
{
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        if (worker->chains[i].id == step->chain)
            return &worker->chains[i];
    }
    return NULL;
}

void chains_free(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        struct chain *chain = &worker->chains[i];
        if (chain->ack != NULL)
            checkpoint_ack_free(chain->ack);
        aligner_free(chain->aligner);
        free(chain->channels);
        free(chain->related);
        free(chain->ops);
    }
    free(worker->chains);
}

static bool chain_swept(const struct chain *chain)
{
    for (uint32_t i = 0; i < chain->op_count; i++) {
        struct keyed_state *state = operator_keyed_state(chain->ops[i]);
        if (state != NULL && !keyed_state_swept(state))
            return false;
    }
    return true;
}

static void ack_send(struct worker *worker, struct chain *chain)
{
    struct checkpoint_ack *ack = chain->ack;
    chain->ack = NULL;
    worker->dataflow->checkpointing->ack(worker->dataflow->checkpointing->self, ack);
}

static void snapshot_begin(struct worker *worker, struct chain *chain, uint64_t checkpoint)
{
    chain->acknowledged = checkpoint;
    if (chain->ack != NULL) { /* a newer barrier: state that is still being swept is finished when it is frozen again */
        for (uint32_t i = 0; i < chain->op_count; i++) {
            struct keyed_state *state = operator_keyed_state(chain->ops[i]);
            while (state != NULL && !keyed_state_sweep(state, UINT32_MAX))
                continue;
        }
        ack_send(worker, chain);
    }
    chain->ack = memory_new_zeroed(1, sizeof *chain->ack);
    *chain->ack = (struct checkpoint_ack){ .checkpoint = checkpoint, .chain = chain->id, .subtask = worker->subtask };
    work_push(worker, (struct work){ .kind = WORK_SNAPSHOT_DONE, .chain = chain });
    for (uint32_t i = chain->op_count; i-- > 0;)
        work_push(worker, (struct work){ .kind = WORK_SNAPSHOT, .op = chain->ops[i], .chain = chain, .number = checkpoint });
}

/* The acknowledgement leaves when the frozen state is swept: see chains_checkpoint(). */
void chain_snapshot_done(struct worker *worker, struct chain *chain)
{
    if (chain_swept(chain))
        ack_send(worker, chain);
}

void chains_snapshot(struct worker *worker, uint64_t checkpoint)
{
    for (uint32_t i = 0; i < worker->chain_count; i++)
        snapshot_begin(worker, &worker->chains[i], checkpoint);
}

static void cancel_send(struct worker *worker, struct operator *op, uint64_t checkpoint)
{
    if (op->step->kind == STEP_EXCHANGE && plan_has_rings(worker->dataflow->plan))
        exchange_mark(op, RING_CANCEL, checkpoint);
    if (op->step->kind == STEP_OUTPUT)
        by_hand_mark(op, BY_HAND_CANCEL, (int64_t)checkpoint);
}

void chain_align(struct worker *worker, struct chain *chain)
{
    struct aligner_event event;
    while (aligner_next_event(chain->aligner, &event)) {
        if (event.kind == ALIGNER_TRIGGER) {
            snapshot_begin(worker, chain, event.checkpoint);
            continue;
        }
        for (uint32_t i = 0; i < chain->op_count; i++)
            cancel_send(worker, chain->ops[i], event.checkpoint);
    }
}

static void chain_end_begin(struct worker *worker, struct chain *chain)
{
    chain->ending = true;
    work_push(worker, (struct work){ .kind = WORK_END_DONE, .chain = chain });
    for (uint32_t i = chain->op_count; i-- > 0;)
        work_push(worker, (struct work){ .kind = WORK_END, .op = chain->ops[i], .chain = chain });
}

void chain_end_done(struct worker *worker, struct chain *chain)
{
    (void)worker;
    chain->ended = true;
}

void chain_channel_end(struct worker *worker, struct chain *chain, uint32_t channel)
{
    struct chain_channel *ended = &chain->channels[channel];
    ended->started = ended->ended = true;
    aligner_end(chain->aligner, channel);
    bool all = true;
    for (uint32_t i = 0; i < chain->channel_count; i++)
        all = all && chain->channels[i].ended;
    if (all)
        chain_end_begin(worker, chain); /* pushed first: a snapshot that the end completes is done before it */
    chain_align(worker, chain);
    if (ended->kind == CHANNEL_RING) /* and pushed last: time ends before both */
        marks_from_ring(ended->op, ended->number, MARK_END, 0);
    else
        work_push(worker, (struct work){ .kind = WORK_FORWARD, .op = ended->op, .mark = MARK_END });
}

static bool all_ended(const struct worker *worker)
{
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        if (!worker->chains[i].ended)
            return false;
    }
    return true;
}

/* Barriers start at the sources, in all sources of a chain at once. */
static void barriers_inject(struct worker *worker, struct chain *chain, uint64_t requested)
{
    struct checkpointing *checkpointing = worker->dataflow->checkpointing;
    bool live = false;
    for (uint32_t i = 0; i < chain->channel_count; i++)
        live = live || (chain->channels[i].kind == CHANNEL_SOURCE && !chain->channels[i].ended);
    if (!live || chain->halted || !chain->started)
        return;
    chain->injected = requested;
    chain->halted = atomic_load(&checkpointing->final) == requested;
    for (uint32_t i = 0; i < chain->channel_count; i++) {
        if (chain->channels[i].kind == CHANNEL_SOURCE && !chain->channels[i].ended)
            aligner_barrier(chain->aligner, i, requested);
    }
    chain_align(worker, chain);
}

static void sweep_slice(struct worker *worker, struct chain *chain)
{
    bool swept = true;
    for (uint32_t i = 0; i < chain->op_count; i++) {
        struct keyed_state *state = operator_keyed_state(chain->ops[i]);
        if (state != NULL && !keyed_state_swept(state))
            swept = keyed_state_sweep(state, SWEPT_PER_INPUT) && swept;
    }
    if (swept)
        ack_send(worker, chain);
}

static bool has_stored(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->dataflow->plan->count; i++) {
        struct keyed_state *state = operator_keyed_state(&worker->ops[i]);
        if (state != NULL && keyed_state_stored(state))
            return true;
    }
    return false;
}

static void bases_begin(struct worker *worker, uint64_t base)
{
    struct checkpointing *checkpointing = worker->dataflow->checkpointing;
    bool into_store = atomic_load(&checkpointing->base_into_store);
    worker->base_seen = base;
    worker->bases_running = 0;
    if (!into_store && has_stored(worker)) {
        /* Rows have left the cache since it was decided that the base is what is in it: it would lack them. */
        checkpointing->base_done(checkpointing->self, base, ERROR_STATE);
        return;
    }
    for (uint32_t i = 0; i < worker->dataflow->plan->count; i++) {
        struct keyed_state *state = operator_keyed_state(&worker->ops[i]);
        if (state == NULL)
            continue;
        keyed_state_base_begin(state, into_store);
        worker->bases_running++;
    }
    if (worker->bases_running == 0)
        checkpointing->base_done(checkpointing->self, base, 0);
}

static void bases_step(struct worker *worker)
{
    struct checkpointing *checkpointing = worker->dataflow->checkpointing;
    for (uint32_t i = 0; i < worker->dataflow->plan->count; i++) {
        struct keyed_state *state = operator_keyed_state(&worker->ops[i]);
        if (state == NULL || !keyed_state_base_running(state))
            continue;
        int status = keyed_state_base_step(state, BASE_PER_INPUT);
        if (status == 0)
            return;
        worker->bases_running = status < 0 ? 0 : worker->bases_running - 1;
        if (worker->bases_running == 0)
            checkpointing->base_done(checkpointing->self, worker->base_seen, status < 0 ? status : 0);
        return;
    }
}

static void commits_push(struct worker *worker, uint64_t completed)
{
    worker->committed = completed;
    for (uint32_t i = 0; i < worker->dataflow->plan->count; i++) {
        if (worker->ops[i].vtab->committed != NULL)
            work_push(worker, (struct work){ .kind = WORK_COMMIT, .op = &worker->ops[i], .number = completed });
    }
}

void chains_checkpoint(struct worker *worker)
{
    struct checkpointing *checkpointing = worker->dataflow->checkpointing;
    uint64_t requested = atomic_load_explicit(&checkpointing->requested, memory_order_acquire);
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        struct chain *chain = &worker->chains[i];
        if (chain->ack != NULL)
            sweep_slice(worker, chain);
        if (chain->ended && chain->acknowledged < requested)
            snapshot_begin(worker, chain, requested);
        else if (!chain->ending && chain->injected < requested)
            barriers_inject(worker, chain, requested);
    }
    uint64_t base = atomic_load_explicit(&checkpointing->base, memory_order_acquire);
    if (worker->base_seen < base)
        bases_begin(worker, base);
    else if (worker->bases_running > 0)
        bases_step(worker);
    uint64_t completed = atomic_load_explicit(&checkpointing->completed, memory_order_acquire);
    if (worker->committed < completed)
        commits_push(worker, completed);
    if (!worker->ended_told && all_ended(worker)) {
        worker->ended_told = true;
        checkpointing->ended(checkpointing->self, worker->subtask);
    }
}
