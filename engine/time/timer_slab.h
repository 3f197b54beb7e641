/*
 * Memory for buckets of timers: blocks of words of 8 bytes in size classes, four to
 * a doubling, cut from chunks and kept in free lists; large blocks are the heap's.
 *
 * Owner    timer_slab_init() on the caller's memory; timer_slab_deinit() frees all but
 *          the large blocks, which are given back before.
 * Thread   the worker.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TIMER_SLAB_CLASSES 128
#define TIMER_SLAB_WORDS_MIN 8

struct timer_slab {
    void *free_lists[TIMER_SLAB_CLASSES];
    char *room;                 /* of the newest chunk */
    size_t room_bytes;
    void **chunks;
    uint32_t chunk_count, chunk_capacity;
    size_t bytes;               /* of blocks in use */
};

void timer_slab_init(struct timer_slab *slab);
void timer_slab_deinit(struct timer_slab *slab);

/* The smallest class with this many words, and the words of a class. */
uint8_t timer_slab_class(uint64_t words);
uint64_t timer_slab_words(uint8_t size_class);

/* Not cleared. */
void *timer_slab_take(struct timer_slab *slab, uint8_t size_class);
void timer_slab_give(struct timer_slab *slab, void *block, uint8_t size_class);
/* A block of class `to` with the first `words` words of this one, which is given back. */
void *timer_slab_move(struct timer_slab *slab, void *block, uint64_t words, uint8_t from, uint8_t to);
