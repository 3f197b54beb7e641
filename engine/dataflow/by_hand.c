#include "dataflow/by_hand.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "dataflow/worker_internal.h"

#include <stdlib.h>

_Static_assert((int)BY_HAND_BATCH == RING_BATCH && (int)BY_HAND_BARRIER == RING_BARRIER && (int)BY_HAND_CANCEL == RING_CANCEL &&
               (int)BY_HAND_END == RING_END && (int)BY_HAND_WATERMARK == RING_WATERMARK && (int)BY_HAND_IDLE == RING_IDLE &&
               (int)BY_HAND_ACTIVE == RING_ACTIVE, "items of a channel go into its ring as they are");

/* Items in order, the oldest at `first`. */
struct item_list { struct by_hand_item *items; uint32_t first, count, capacity; };

struct hand_channel { struct item_list waiting; bool ended; };

static void list_add(struct item_list *list, struct by_hand_item item)
{
    if (list->first + list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 16;
        list->items = memory_resize(list->items, list->capacity * sizeof list->items[0]);
    }
    list->items[list->first + list->count++] = item;
}

static bool list_take(struct item_list *list, struct by_hand_item *item)
{
    if (list->count == 0)
        return false;
    *item = list->items[list->first++];
    if (--list->count == 0)
        list->first = 0;
    return true;
}

static void list_free(struct item_list *list)
{
    struct by_hand_item item;
    while (list_take(list, &item)) {
        if (item.batch != NULL)
            batch_drop(item.batch);
    }
    free(list->items);
}

/* ---- Inputs ---- */

static struct hand_channel *channel_of(const struct worker *worker, uint32_t step, uint32_t channel)
{
    struct operator *op = &worker->ops[step];
    if (op->self == NULL)
        op->self = memory_new_zeroed(op->step->channels, sizeof(struct hand_channel));
    return &((struct hand_channel *)op->self)[channel];
}

int by_hand_push(struct worker *worker, int step, uint32_t channel, struct by_hand_item item)
{
    struct hand_channel *target = channel_of(worker, (uint32_t)step, channel);
    if (target->ended)
        return error_set(ERROR_STATE, "the channel has ended");
    target->ended = item.kind == BY_HAND_END;
    list_add(&target->waiting, item);
    return 0;
}

static bool channel_feed(struct hand_channel *channel, struct ring *ring)
{
    bool fed = false;
    while (channel->waiting.count > 0) {
        const struct by_hand_item *item = &channel->waiting.items[channel->waiting.first];
        if (!ring_push(ring, (struct ring_item){ .kind = item->kind, .number = (uint64_t)item->number, .batch = item->batch }))
            return fed;
        struct by_hand_item sent;
        fed = list_take(&channel->waiting, &sent);
    }
    return fed;
}

bool by_hand_feed(struct worker *worker)
{
    const struct plan *plan = worker->dataflow->plan;
    bool fed = false;
    for (uint32_t s = 0; s < plan->count; s++) {
        for (uint32_t c = 0; plan->steps[s].kind == STEP_INPUT && c < plan->steps[s].channels; c++)
            fed = channel_feed(channel_of(worker, s, c), &worker->dataflow->rings[s][c]) || fed;
    }
    return fed;
}

struct keyed_state *by_hand_state(const struct worker *worker, uint32_t step)
{
    return operator_keyed_state(&worker->ops[step]);
}

bool by_hand_blocked(const struct worker *worker, int step, uint32_t channel)
{
    const struct ring *ring = &worker->dataflow->rings[step][channel];
    for (uint32_t i = 0; i < worker->chain_count; i++) {
        const struct chain *chain = &worker->chains[i];
        for (uint32_t c = 0; c < chain->channel_count; c++) {
            if (chain->channels[c].ring == ring)
                return aligner_blocked(chain->aligner, c);
        }
    }
    return false;
}

/* Which channels have ended: they stay so after a restore (S18c). */
static int input_snapshot(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob)
{
    (void)checkpoint;
    (void)final;
    msgpack_write_array(blob, op->step->channels);
    for (uint32_t c = 0; c < op->step->channels; c++)
        msgpack_write_bool(blob, channel_of(op->worker, op->step->id, c)->ended);
    return 0;
}

static void input_close(struct operator *op)
{
    for (uint32_t c = 0; op->self != NULL && c < op->step->channels; c++)
        list_free(&channel_of(op->worker, op->step->id, c)->waiting);
    free(op->self);
    op->self = NULL;
}

const struct operator_vtab operator_by_hand_input = { .snapshot = input_snapshot, .close = input_close };

/* ---- Outputs ---- */

static int output_open(struct operator *op)
{
    op->self = memory_new_zeroed(1, sizeof(struct item_list));
    return 0;
}

static void output_close(struct operator *op)
{
    if (op->self != NULL)
        list_free(op->self);
    free(op->self);
    op->self = NULL;
}

static int output_batch(struct operator *op, struct batch *batch)
{
    list_add(op->self, (struct by_hand_item){ .kind = BY_HAND_BATCH, .batch = batch_share(batch) });
    return 0;
}

void by_hand_mark(struct operator *op, uint32_t kind, int64_t number)
{
    list_add(op->self, (struct by_hand_item){ .kind = kind, .number = number });
}

static int output_snapshot(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob)
{
    (void)final;
    (void)blob;
    if (checkpoint != op->worker->snapshot_by_hand)
        by_hand_mark(op, BY_HAND_BARRIER, (int64_t)checkpoint);
    return 0;
}

/* Time is told as it comes; the end of it by the last watermark. */
static int output_time(struct operator *op, uint32_t mark, int64_t number)
{
    static const uint32_t kinds[] = { [MARK_WATERMARK] = BY_HAND_WATERMARK, [MARK_IDLE] = BY_HAND_IDLE, [MARK_ACTIVE] = BY_HAND_ACTIVE };
    if (mark <= MARK_ACTIVE)
        by_hand_mark(op, kinds[mark], number);
    return 0;
}

static int output_end(struct operator *op)
{
    by_hand_mark(op, BY_HAND_END, 0);
    return 0;
}

bool by_hand_take(struct worker *worker, int step, struct by_hand_item *item)
{
    struct item_list *list = worker->ops[step].self;
    return list != NULL && list_take(list, item);
}

void by_hand_snapshot(struct worker *worker, uint64_t checkpoint)
{
    worker->snapshot_by_hand = checkpoint;
    chains_snapshot(worker, checkpoint);
}

void by_hand_set_clock(struct worker *worker, int64_t ms)
{
    worker->clock_by_hand_ms = ms;
    worker->clock_moved = true;
}

int64_t by_hand_timers(const struct worker *worker, int domain)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < worker->dataflow->plan->count && count >= 0; i++) {
        int64_t more = operator_timers_count(&worker->ops[i], domain);
        count = more < 0 ? more : count + more;
    }
    return count;
}

int64_t by_hand_late(const struct worker *worker)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < worker->dataflow->plan->count; i++) {
        struct step_counters counters = { 0 };
        worker_step_counters(worker, i, &counters);
        count += counters.late;
    }
    return (int64_t)count;
}

const struct operator_vtab operator_by_hand_output = {
    .open = output_open, .batch = output_batch, .snapshot = output_snapshot, .end = output_end, .time = output_time, .close = output_close,
};
