/*
 * Records to the worker that they belong to. Each target has a batch that is
 * being filled, and a list of what its ring did not take: the chain is asked for
 * no more input while any list holds something, so it stays short.
 *
 * The records of an input batch are first sorted by target, as positions only, and
 * then copied target by target, so that one batch at a time is written.
 */
#include "dataflow/worker_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

#define PARTIAL_NS_MAX 100000

struct target {
    struct ring *ring;
    struct batch *partial;
    uint64_t partial_since_ns; /* 0: not looked at since its first record came */
    struct ring_item *pending;
    uint32_t pending_first, pending_count, pending_capacity;
    int32_t picked_count;
    uint16_t picked[BATCH_RECORDS_MAX]; /* positions in the input batch */
};

struct exchange {
    struct target *targets;
    uint32_t target_count;
    uint32_t receivers;        /* the first of the targets, which records go to; marks go to all */
    uint32_t next;             /* of rebalance */
    uint16_t *subtask_of_group;
    uint64_t group_mask;       /* hash & mask is hash % max_parallelism; 0: that is no power of two */
};

static void groups_fill(struct exchange *exchange, const struct plan *plan, const struct step *step)
{
    uint64_t groups = plan->max_parallelism;
    exchange->group_mask = (groups & (groups - 1)) == 0 ? groups - 1 : 0;
    exchange->subtask_of_group = memory_new(groups * sizeof exchange->subtask_of_group[0]);
    for (uint32_t group = 0; group < groups; group++)
        exchange->subtask_of_group[group] = (uint16_t)plan_subtask_of_group(plan, step, group);
}

static int exchange_open(struct operator *op)
{
    struct worker *worker = op->worker;
    const struct plan *plan = worker->dataflow->plan;
    if (!plan_has_rings(plan))
        return 0;
    struct exchange *exchange = memory_new_zeroed(1, sizeof *exchange);
    exchange->target_count = plan->parallelism;
    exchange->targets = memory_new_zeroed(plan->parallelism, sizeof exchange->targets[0]);
    exchange->receivers = op->step->exchange == EXCHANGE_GLOBAL ? 1 : plan_subtasks(plan, op->step);
    exchange->next = worker->subtask % exchange->receivers;
    for (uint32_t to = 0; to < plan->parallelism; to++)
        exchange->targets[to].ring = dataflow_ring(worker->dataflow, op->step->id, worker->subtask, to);
    groups_fill(exchange, plan, op->step);
    op->self = exchange;
    return 0;
}

static void exchange_close(struct operator *op)
{
    struct exchange *exchange = op->self;
    if (exchange == NULL)
        return;
    for (uint32_t i = 0; i < exchange->target_count; i++) {
        struct target *target = &exchange->targets[i];
        if (target->partial != NULL)
            batch_drop(target->partial);
        for (uint32_t p = 0; p < target->pending_count; p++) {
            if (target->pending[target->pending_first + p].batch != NULL)
                batch_drop(target->pending[target->pending_first + p].batch);
        }
        free(target->pending);
    }
    free(exchange->subtask_of_group);
    free(exchange->targets);
    free(exchange);
    op->self = NULL;
}

static void receiver_wake(struct operator *op, uint32_t to)
{
    struct worker *receiver = op->worker->dataflow->workers[to];
    if (receiver != NULL && receiver != op->worker)
        waker_wake_sleeper(&receiver->waker);
}

static void pending_drain(struct operator *op, uint32_t to)
{
    struct exchange *exchange = op->self;
    struct target *target = &exchange->targets[to];
    bool sent = false;
    while (target->pending_count > 0 && ring_push(target->ring, target->pending[target->pending_first])) {
        target->pending_first++;
        target->pending_count--;
        sent = true;
    }
    if (target->pending_count == 0)
        target->pending_first = 0;
    if (sent)
        receiver_wake(op, to);
}

static void send(struct operator *op, uint32_t to, struct ring_item item)
{
    struct exchange *exchange = op->self;
    struct target *target = &exchange->targets[to];
    if (target->pending_count == 0 && ring_push(target->ring, item)) {
        receiver_wake(op, to);
        return;
    }
    if (target->pending_first + target->pending_count == target->pending_capacity) {
        target->pending_capacity = target->pending_capacity * 2 + 16;
        target->pending = memory_resize(target->pending, target->pending_capacity * sizeof target->pending[0]);
    }
    target->pending[target->pending_first + target->pending_count++] = item;
}

static void partial_send(struct operator *op, uint32_t to)
{
    struct exchange *exchange = op->self;
    struct target *target = &exchange->targets[to];
    if (target->partial == NULL || target->partial->count == 0)
        return;
    struct batch *batch = target->partial;
    target->partial = NULL;
    target->partial_since_ns = 0;
    counter_add(&op->records_out, (uint64_t)batch->count);
    send(op, to, (struct ring_item){ .kind = RING_BATCH, .batch = batch });
}

static inline void pick(struct target *target, int32_t index)
{
    target->picked[target->picked_count++] = (uint16_t)index;
}

/* No larger than the receiver likes them; but what waits is on its way already, and takes less memory in whole batches. */
static struct batch *partial_new(const struct target *target)
{
    struct batch *batch = batch_take();
    if (target->pending_count == 0)
        batch->room = ring_room(target->ring);
    return batch;
}

static void picked_append(struct operator *op, uint32_t to, const struct batch *batch)
{
    struct exchange *exchange = op->self;
    struct target *target = &exchange->targets[to];
    int32_t done = 0;
    while (done < target->picked_count) {
        if (target->partial == NULL)
            target->partial = partial_new(target);
        done += batch_append_picked(target->partial, batch, target->picked + done, target->picked_count - done);
        if (batch_full(target->partial))
            partial_send(op, to);
    }
    target->picked_count = 0;
}

static void picked_append_all(struct operator *op, const struct batch *batch)
{
    struct exchange *exchange = op->self;
    for (uint32_t to = 0; to < exchange->receivers; to++)
        picked_append(op, to, batch);
}

static void by_hash(struct operator *op, const struct batch *batch)
{
    struct exchange *exchange = op->self;
    uint64_t groups = op->worker->dataflow->plan->max_parallelism, mask = exchange->group_mask;
    for (int32_t i = 0; i < batch->count; i++) {
        uint64_t hash = batch->keys[i].hash;
        uint64_t group = mask != 0 ? hash & mask : hash % groups;
        pick(&exchange->targets[exchange->subtask_of_group[group]], i);
    }
    picked_append_all(op, batch);
}

static void rebalance(struct operator *op, const struct batch *batch)
{
    struct exchange *exchange = op->self;
    for (int32_t i = 0; i < batch->count; i++) {
        pick(&exchange->targets[exchange->next], i);
        exchange->next = (exchange->next + 1) % exchange->receivers;
    }
    picked_append_all(op, batch);
}

static void whole_send(struct operator *op, uint32_t to, struct batch *batch)
{
    send(op, to, (struct ring_item){ .kind = RING_BATCH, .batch = batch_share(batch) });
    counter_add(&op->records_out, (uint64_t)batch->count);
}

static void to_all(struct operator *op, struct batch *batch)
{
    struct exchange *exchange = op->self;
    for (uint32_t to = 0; to < exchange->receivers; to++)
        whole_send(op, to, batch);
}

/* The clock is asked where there are any. */
static void send_old(struct operator *op)
{
    struct exchange *exchange = op->self;
    uint64_t now = 0;
    for (uint32_t to = 0; to < exchange->target_count; to++) {
        struct target *target = &exchange->targets[to];
        if (target->partial == NULL)
            continue;
        now = now != 0 ? now : clock_monotonic_ns();
        if (target->partial_since_ns == 0)
            target->partial_since_ns = now;
        else if (now - target->partial_since_ns > PARTIAL_NS_MAX)
            partial_send(op, to);
    }
}

/* A worker that is driven alone has nobody to send them to. */
static int keys_check(struct operator *op, const struct batch *batch)
{
    const struct plan *plan = op->worker->dataflow->plan;
    for (int32_t i = 0; i < batch->count; i++) {
        uint32_t subtask = plan_subtask_of_group(plan, op->step, (uint32_t)(batch->keys[i].hash % plan->max_parallelism));
        if (subtask != op->worker->subtask)
            return error_set(ERROR_ARGUMENT, "the key belongs to subtask %u", subtask);
    }
    return 0;
}

static int exchange_batch(struct operator *op, struct batch *batch)
{
    struct exchange *exchange = op->self;
    if (exchange == NULL) {
        int status = op->worker->by_hand && op->step->exchange == EXCHANGE_HASH ? keys_check(op, batch) : 0;
        operator_pass(op, 0, batch);
        return status;
    }
    switch (op->step->exchange) {
    case EXCHANGE_HASH: by_hash(op, batch); break;
    case EXCHANGE_REBALANCE: rebalance(op, batch); break;
    case EXCHANGE_GLOBAL:
    case EXCHANGE_BROADCAST: to_all(op, batch); break;
    case EXCHANGE_FORWARD: whole_send(op, op->worker->subtask, batch); break;
    }
    send_old(op);
    return 0;
}

/* Pass on the partial batches. */
static int exchange_flush(struct operator *op)
{
    struct exchange *exchange = op->self;
    for (uint32_t to = 0; exchange != NULL && to < exchange->target_count; to++) {
        partial_send(op, to);
        pending_drain(op, to);
    }
    return 0;
}

void exchange_mark(struct operator *op, uint32_t kind, uint64_t number)
{
    struct exchange *exchange = op->self;
    exchange_flush(op);
    for (uint32_t to = 0; to < exchange->target_count; to++)
        send(op, to, (struct ring_item){ .kind = kind, .number = number });
}

void exchange_send_on(struct operator *op)
{
    struct exchange *exchange = op->self;
    for (uint32_t to = 0; to < exchange->target_count; to++) {
        if (exchange->targets[to].pending_count > 0)
            pending_drain(op, to);
    }
    send_old(op);
}

bool exchange_has_room(struct operator *op)
{
    struct exchange *exchange = op->self;
    bool room = true;
    for (uint32_t to = 0; to < exchange->target_count; to++) {
        if (exchange->targets[to].pending_count > 0)
            pending_drain(op, to);
        room = room && exchange->targets[to].pending_count == 0;
    }
    return room;
}

const struct operator_vtab operator_exchange = {
    .open = exchange_open, .batch = exchange_batch, .flush = exchange_flush, .close = exchange_close,
};
