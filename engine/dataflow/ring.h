/*
 * A bounded queue of batches and marks between two workers: one producer, one
 * consumer, no lock. Bounded in items, in bytes, and in records where the consumer
 * is slow (dataflow/portion.h); a batch larger than a bound passes when the ring is
 * empty.
 *
 * Owner    a batch in the ring belongs to it; ring_pop() hands it over.
 */
#pragma once

#include "codec/batch.h"

#define RING_ITEMS 64u /* a power of two */
#define RING_BYTES (512 * 1024)

enum ring_kind {
    RING_BATCH = 1, RING_BARRIER = 2, RING_CANCEL = 3, RING_END = 4, RING_WATERMARK = 5, RING_IDLE = 6, RING_ACTIVE = 7, RING_TIME_END = 8,
    RING_START = 9, /* all that is known of time before the first record has been told */
};

struct ring_item {
    uint32_t kind;          /* enum ring_kind */
    uint64_t number;        /* checkpoint id; a watermark, as int64_t */
    struct batch *batch;
};

struct ring {
    struct ring_item items[RING_ITEMS];
    _Alignas(64) atomic_uint head;      /* next to read; the consumer's */
    _Alignas(64) atomic_uint tail;      /* next to write; the producer's */
    _Alignas(64) atomic_size_t bytes;   /* held now */
    atomic_int records;                 /* the same */
    size_t bytes_max;
    atomic_int room;                    /* of records; BATCH_RECORDS_MAX: as many as the bytes allow */
};

void ring_init(struct ring *ring, size_t bytes_max);
void ring_deinit(struct ring *ring);
/* False when it is full: the item stays the caller's. Marks take no bytes. */
bool ring_push(struct ring *ring, struct ring_item item);
bool ring_pop(struct ring *ring, struct ring_item *item);
/* The consumer's. */
static inline void ring_set_room(struct ring *ring, int32_t room)
{
    atomic_store_explicit(&ring->room, room, memory_order_relaxed);
}
/* How many records a batch for this ring should have at most. */
static inline int32_t ring_room(const struct ring *ring)
{
    return atomic_load_explicit(&ring->room, memory_order_relaxed);
}
