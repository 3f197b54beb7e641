#include "dataflow/ring.h"

void ring_init(struct ring *ring, size_t bytes_max)
{
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->bytes, 0);
    atomic_init(&ring->records, 0);
    atomic_init(&ring->room, BATCH_RECORDS_MAX);
    ring->bytes_max = bytes_max;
}

void ring_deinit(struct ring *ring)
{
    struct ring_item item;
    while (ring_pop(ring, &item)) {
        if (item.batch != NULL)
            batch_drop(item.batch);
    }
}

static bool batch_fits(const struct ring *ring, const struct batch *batch)
{
    int held = atomic_load_explicit(&ring->records, memory_order_relaxed), room = ring_room(ring);
    if (held == 0 || batch->count == 0)
        return true;
    if (room < BATCH_RECORDS_MAX && held + batch->count > room)
        return false;
    return atomic_load_explicit(&ring->bytes, memory_order_relaxed) + batch_bytes(batch) <= ring->bytes_max;
}

bool ring_push(struct ring *ring, struct ring_item item)
{
    unsigned tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    unsigned head = atomic_load_explicit(&ring->head, memory_order_acquire);
    if (tail - head == RING_ITEMS)
        return false;
    if (item.batch != NULL) {
        if (!batch_fits(ring, item.batch))
            return false;
        atomic_fetch_add_explicit(&ring->bytes, batch_bytes(item.batch), memory_order_relaxed);
        atomic_fetch_add_explicit(&ring->records, item.batch->count, memory_order_relaxed);
    }
    ring->items[tail % RING_ITEMS] = item;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

bool ring_pop(struct ring *ring, struct ring_item *item)
{
    unsigned head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    if (head == tail)
        return false;
    *item = ring->items[head % RING_ITEMS];
    if (item->batch != NULL) {
        atomic_fetch_sub_explicit(&ring->bytes, batch_bytes(item->batch), memory_order_relaxed);
        atomic_fetch_sub_explicit(&ring->records, item->batch->count, memory_order_relaxed);
    }
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}
