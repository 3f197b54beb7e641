/*
 * Which input a worker takes next. What is on its way comes first, that of the chains downstream before that of those
 * upstream, so that it is done before more is taken in; chains of which neither is upstream of the other take turns.
 * Sources are asked when there is none of it, in turn, and out of turn where they do not keep pace with their other
 * subtasks (pace.h).
 */
#include "dataflow/worker_internal.h"

#include "base/clock.h"
#include "dataflow/drift.h"
#include "dataflow/pace.h"

#define NO_ROOM_WAIT_NS 500000
#define HELD_BACK_WAIT_NS 1000000

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
        portion_begin(worker, chain, NULL, (uint64_t)item.batch->count);
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
    case RING_END: chain_channel_end(worker, chain, index); break;
    }
    chain_align(worker, chain);
    return 1;
}

static int poll_source(struct worker *worker, struct chain *chain, uint32_t index, int64_t *wait_ns)
{
    struct operator *op = chain->channels[index].op;
    if (op->source_ended || atomic_load_explicit(&worker->dataflow->checkpointing->drain, memory_order_relaxed)) {
        chain_channel_end(worker, chain, index);
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
    portion_begin(worker, chain, op, 0);
    op->room = chain->portion.room;
    work_push(worker, (struct work){ .kind = WORK_POLL, .op = op });
    return 1;
}

bool chain_has_room(const struct worker *worker, const struct chain *chain)
{
    if (!plan_has_rings(worker->dataflow->plan))
        return true;
    for (uint32_t i = 0; i < chain->op_count; i++) {
        if (chain->ops[i]->step->kind == STEP_EXCHANGE && !exchange_has_room(chain->ops[i]))
            return false;
    }
    return true;
}

/* A chain that is not asked, since its worker has input for others all the time, still has its records to hand on. */
static void chain_send_on(const struct worker *worker, const struct chain *chain)
{
    if (!plan_has_rings(worker->dataflow->plan))
        return;
    for (uint32_t i = 0; i < chain->op_count; i++) {
        if (chain->ops[i]->step->kind == STEP_EXCHANGE)
            exchange_send_on(chain->ops[i]);
    }
}

/* Take in what comes before records; once it is all there, the chains behind are told. */
static int chain_start(struct worker *worker, struct chain *chain)
{
    bool started = true;
    for (uint32_t i = 0; i < chain->channel_count; i++) {
        struct chain_channel *channel = &chain->channels[i];
        if (channel->kind == CHANNEL_SOURCE && channel->op->source_ended && !channel->ended) {
            chain_channel_end(worker, chain, i);
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

/* Ask its channels of a kind in turn. */
static int chain_poll(struct worker *worker, struct chain *chain, enum channel_kind kind, int64_t *wait_ns)
{
    if (kind == CHANNEL_SOURCE || !chain->has_source)
        chain->starved = false;
    chain->pressed = !chain_has_room(worker, chain); /* also behind its end: what it sent last may still wait */
    portion_look(worker, chain, chain->pressed);
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
        if (chain->channels[index].kind != kind || chain->channels[index].ended || aligner_blocked(chain->aligner, index))
            continue;
        int status = kind == CHANNEL_RING ? poll_ring(worker, chain, index) : poll_source(worker, chain, index, wait_ns);
        chain->fed = status != 0;
        if (status != 0)
            return status;
    }
    if (kind == CHANNEL_SOURCE)
        pace_rest(worker, chain);
    return 0;
}

/* A chain that was not asked last time, so that every other input is another's. */
static struct chain *chain_behind(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        if (worker->chains[i].starved && pace_is_behind(worker, &worker->chains[i]))
            return &worker->chains[i];
    }
    return NULL;
}

/* Chains that have nothing to do with one that had input come before it next time. */
static int poll_rings_of(struct worker *worker, struct chain *chain, int64_t *wait_ns)
{
    chain->passed = 0;
    int status = chain_poll(worker, chain, CHANNEL_RING, wait_ns);
    for (uint32_t i = 0; i < worker->chain_count && status != 0; i++)
        worker->chains[i].passed += worker->chains[i].has_ring && !chain->related[worker->chains[i].id];
    return status;
}

static int poll_rings(struct worker *worker, int64_t *wait_ns)
{
    struct chain *first = &worker->chains[0];
    for (uint32_t i = 1; i < worker->chain_count; i++) {
        if (worker->chains[i].passed > first->passed)
            first = &worker->chains[i];
    }
    int status = first->has_ring ? poll_rings_of(worker, first, wait_ns) : 0;
    for (uint32_t i = 0; i < worker->chain_count && status == 0; i++) {
        if (worker->chains[i].has_ring && &worker->chains[i] != first)
            status = poll_rings_of(worker, &worker->chains[i], wait_ns);
    }
    return status;
}

static int poll_sources(struct worker *worker, int64_t *wait_ns)
{
    int status = 0;
    for (uint32_t turn = 0; turn < worker->chain_count && status == 0; turn++) {
        struct chain *chain = &worker->chains[worker->next_chain];
        worker->next_chain = (worker->next_chain + 1) % worker->chain_count;
        if (chain->has_source)
            status = chain_poll(worker, chain, CHANNEL_SOURCE, wait_ns);
    }
    return status;
}

int chains_poll(struct worker *worker, int64_t *wait_ns)
{
    struct chain *behind = chain_behind(worker);
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        if (worker->chains[i].starved)
            chain_send_on(worker, &worker->chains[i]);
        worker->chains[i].starved = true; /* until it is asked */
    }
    int status = behind == NULL ? 0 : chain_poll(worker, behind, CHANNEL_SOURCE, wait_ns);
    if (status == 0)
        status = poll_rings(worker, wait_ns);
    if (status == 0)
        status = poll_sources(worker, wait_ns);
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
