/*
 * A bounded queue of batches and marks between two workers: one producer, one
 * consumer, no lock. Bounded in items and in bytes; a batch larger than the bound
 * passes when the ring is empty.
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
    size_t bytes_max;
};

void ring_init(struct ring *ring, size_t bytes_max);
void ring_deinit(struct ring *ring);
/* False when it is full: the item stays the caller's. Marks take no bytes. */
bool ring_push(struct ring *ring, struct ring_item item);
bool ring_pop(struct ring *ring, struct ring_item *item);
