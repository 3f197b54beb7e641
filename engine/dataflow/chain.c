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

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "dataflow/by_hand.h"
#include "dataflow/drift.h"
#include "dataflow/pace.h"

#include <stdlib.h>

#define SWEPT_PER_INPUT 2048
#define BASE_PER_INPUT 1024
#define NO_ROOM_WAIT_NS 500000
#define HELD_BACK_WAIT_NS 1000000

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
}

static bool is_source(const struct step *step)
{
    return step->kind == STEP_SOURCE || (step->kind == STEP_CALL && step->call_kind == CALL_KIND_SOURCE);
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
        if (op->step->chain == chain->id && is_source(op->step))
            channel_add(chain, (struct chain_channel){ .kind = CHANNEL_SOURCE, .op = op });
        if (ring && op->step->receiver_chain == chain->id)
            ring_channels_add(worker, chain, op);
        if (op->step->chain == chain->id && op->step->kind == STEP_INPUT)
            hand_channels_add(worker, chain, op);
    }
    chain->aligner = aligner_new(chain->channel_count, plan->at_least_once);
    chain->started = plan->by_hand;
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
    return 0;
}

void chains_free(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        struct chain *chain = &worker->chains[i];
        if (chain->ack != NULL)
            checkpoint_ack_free(chain->ack);
        aligner_free(chain->aligner);
        free(chain->channels);
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

static void aligner_events(struct worker *worker, struct chain *chain)
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

static void channel_end(struct worker *worker, struct chain *chain, uint32_t channel)
{
    struct chain_channel *ended = &chain->channels[channel];
    ended->started = ended->ended = true;
    aligner_end(chain->aligner, channel);
    bool all = true;
    for (uint32_t i = 0; i < chain->channel_count; i++)
        all = all && chain->channels[i].ended;
    if (all)
        chain_end_begin(worker, chain); /* pushed first: a snapshot that the end completes is done before it */
    aligner_events(worker, chain);
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

static void ring_batch(struct worker *worker, struct operator *exchange, uint32_t ring, struct batch *batch)
{
    const struct port *edges = &exchange->step->ports[0];
    for (uint32_t t = edges->count; t-- > 0;)
        work_push(worker, (struct work){ .kind = WORK_BATCH, .op = &worker->ops[edges->edges[t].step], .batch = batch_share(batch),
                                         .input = edges->edges[t].input, .channel = edges->edges[t].channel + ring });
    batch_drop(batch);
}

static int poll_ring(struct worker *worker, struct chain *chain, uint32_t index)
{
    struct chain_channel *channel = &chain->channels[index];
    struct ring_item item;
    if (!ring_pop(channel->ring, &item))
        return 0;
    struct worker *sender = worker->dataflow->workers[channel->from];
    if (sender != NULL && sender != worker)
        waker_wake_sleeper(&sender->waker);
    switch (item.kind) {
    case RING_BATCH:
        ring_batch(worker, channel->op, channel->number, item.batch);
        if (channel->op->step->kind == STEP_INPUT) /* what is pushed by hand ends idleness; a step upstream says so itself */
            marks_from_ring(channel->op, channel->number, MARK_ACTIVE, 0);
        break;
    case RING_WATERMARK: marks_from_ring(channel->op, channel->number, MARK_WATERMARK, (int64_t)item.number); break;
    case RING_IDLE: marks_from_ring(channel->op, channel->number, MARK_IDLE, 0); break;
    case RING_ACTIVE: marks_from_ring(channel->op, channel->number, MARK_ACTIVE, 0); break;
    case RING_START: channel->started = true; break;
    case RING_TIME_END: marks_from_ring(channel->op, channel->number, MARK_END, 0); break;
    case RING_BARRIER: aligner_barrier(chain->aligner, index, item.number); break;
    case RING_CANCEL: aligner_cancel(chain->aligner, item.number); break;
    case RING_END: channel_end(worker, chain, index); break;
    }
    aligner_events(worker, chain);
    return 1;
}

static int poll_source(struct worker *worker, struct chain *chain, uint32_t index, int64_t *wait_ns)
{
    struct operator *op = chain->channels[index].op;
    if (op->source_ended || atomic_load_explicit(&worker->dataflow->checkpointing->drain, memory_order_relaxed)) {
        channel_end(worker, chain, index);
        return 1;
    }
    if (chain->halted)
        return 0;
    if (drift_holds_back(op)) {
        *wait_ns = *wait_ns < HELD_BACK_WAIT_NS ? *wait_ns : HELD_BACK_WAIT_NS;
        return 0;
    }
    if (op->wait_until_ns > 0) { /* idle when it was asked last: only after the pause that it named */
        int64_t pause = (int64_t)(op->wait_until_ns - clock_monotonic_ns());
        if (pause > 0) {
            *wait_ns = pause < *wait_ns ? pause : *wait_ns;
            return 0;
        }
        op->wait_until_ns = 0;
    }
    pace_step(worker, chain);
    work_push(worker, (struct work){ .kind = WORK_POLL, .op = op });
    return 1;
}

static bool has_room(const struct worker *worker, const struct chain *chain)
{
    if (!plan_has_rings(worker->dataflow->plan))
        return true;
    for (uint32_t i = 0; i < chain->op_count; i++) {
        if (chain->ops[i]->step->kind == STEP_EXCHANGE && !exchange_has_room(chain->ops[i]))
            return false;
    }
    return true;
}

/* Take in what comes before records; once it is all there, the chains behind are told. */
static int chain_start(struct worker *worker, struct chain *chain)
{
    bool started = true;
    for (uint32_t i = 0; i < chain->channel_count; i++) {
        struct chain_channel *channel = &chain->channels[i];
        if (channel->kind == CHANNEL_SOURCE && channel->op->source_ended && !channel->ended) {
            channel_end(worker, chain, i);
            return 1;
        }
        if (channel->kind == CHANNEL_RING && !channel->started) {
            if (poll_ring(worker, chain, i) != 0)
                return 1;
            started = false;
        }
    }
    for (uint32_t i = 0; started && i < chain->op_count; i++) {
        if (chain->ops[i]->step->kind == STEP_EXCHANGE && plan_has_rings(worker->dataflow->plan))
            exchange_mark(chain->ops[i], RING_START, 0);
    }
    chain->started = started;
    return started;
}

static int chain_poll(struct worker *worker, struct chain *chain, int64_t *wait_ns)
{
    chain->pressed = !has_room(worker, chain); /* also behind its end: what it sent last may still wait */
    if (chain->pressed)
        *wait_ns = *wait_ns < NO_ROOM_WAIT_NS ? *wait_ns : NO_ROOM_WAIT_NS;
    if (chain->pressed || chain->ending)
        return 0;
    chain->turns++;
    if (!chain->started)
        return chain_start(worker, chain);
    for (uint32_t turn = 0; turn < chain->channel_count; turn++) {
        uint32_t index = chain->next_channel;
        chain->next_channel = (index + 1) % chain->channel_count;
        if (chain->channels[index].ended || aligner_blocked(chain->aligner, index))
            continue;
        int status = chain->channels[index].kind == CHANNEL_RING ? poll_ring(worker, chain, index) : poll_source(worker, chain, index, wait_ns);
        if (status != 0)
            return status;
    }
    pace_rest(worker, chain);
    return 0;
}

/* Chains downstream come first, and those upstream of one that has input are not asked; but see pace.h. */
static uint32_t first_asked(const struct worker *worker)
{
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        if (worker->chains[i].starved && pace_is_behind(worker, &worker->chains[i]))
            return i;
    }
    return 0;
}

int chains_poll(struct worker *worker, int64_t *wait_ns)
{
    int status = 0;
    uint32_t first = first_asked(worker);
    for (uint32_t turn = 0; turn < worker->chain_count; turn++) {
        struct chain *chain = &worker->chains[(first + turn) % worker->chain_count];
        chain->starved = status != 0;
        if (status == 0)
            status = chain_poll(worker, chain, wait_ns);
    }
    if (status != 0)
        return status;
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        if (worker->chains[i].ack != NULL)
            *wait_ns = 0; /* state is still to be swept */
    }
    if (worker->bases_running > 0)
        *wait_ns = 0;
    return 0;
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
    aligner_events(worker, chain);
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
