#include "time/timer_slab.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64 * 1024)
#define CHUNK_BYTES_LARGE (1024 * 1024)
#define CHUNKS_SMALL 4
#define CUT_WORDS_MAX 1024 /* larger blocks are the heap's, which can grow them in place */

void timer_slab_init(struct timer_slab *slab)
{
    *slab = (struct timer_slab){ 0 };
}

void timer_slab_deinit(struct timer_slab *slab)
{
    for (uint32_t i = 0; i < slab->chunk_count; i++)
        free(slab->chunks[i]);
    free(slab->chunks);
}

uint64_t timer_slab_words(uint8_t size_class)
{
    return (uint64_t)(4 + size_class % 4) << (1 + size_class / 4);
}

uint8_t timer_slab_class(uint64_t words)
{
    if (words <= TIMER_SLAB_WORDS_MIN)
        return 0;
    unsigned doubling = 63u - (unsigned)__builtin_clzll(words - 1); /* 2^doubling < words <= 2^(doubling + 1) */
    uint64_t step = (uint64_t)1 << (doubling - 2);
    uint64_t steps = (words - ((uint64_t)1 << doubling) + step - 1) / step; /* 1 to 4 */
    return (uint8_t)((doubling - 3) * 4 + steps);
}

static void chunk_add(struct timer_slab *slab)
{
    if (slab->chunk_count == slab->chunk_capacity) {
        slab->chunk_capacity = slab->chunk_capacity * 2 + 8;
        slab->chunks = memory_resize(slab->chunks, slab->chunk_capacity * sizeof slab->chunks[0]);
    }
    slab->room_bytes = slab->chunk_count < CHUNKS_SMALL ? CHUNK_BYTES : CHUNK_BYTES_LARGE;
    slab->room = memory_new(slab->room_bytes);
    slab->chunks[slab->chunk_count++] = slab->room;
}

void *timer_slab_take(struct timer_slab *slab, uint8_t size_class)
{
    size_t bytes = timer_slab_words(size_class) * 8;
    slab->bytes += bytes;
    void *block = slab->free_lists[size_class];
    if (block != NULL) {
        memcpy(&slab->free_lists[size_class], block, sizeof(void *));
        return block;
    }
    if (bytes > CUT_WORDS_MAX * 8)
        return memory_new(bytes);
    if (slab->room_bytes < bytes)
        chunk_add(slab);
    block = slab->room;
    slab->room += bytes;
    slab->room_bytes -= bytes;
    return block;
}

void timer_slab_give(struct timer_slab *slab, void *block, uint8_t size_class)
{
    size_t bytes = timer_slab_words(size_class) * 8;
    slab->bytes -= bytes;
    if (bytes > CUT_WORDS_MAX * 8) {
        free(block);
        return;
    }
    memcpy(block, &slab->free_lists[size_class], sizeof(void *));
    slab->free_lists[size_class] = block;
}

void *timer_slab_move(struct timer_slab *slab, void *block, uint64_t words, uint8_t from, uint8_t to)
{
    size_t from_bytes = timer_slab_words(from) * 8, to_bytes = timer_slab_words(to) * 8;
    if (from_bytes > CUT_WORDS_MAX * 8 && to_bytes > CUT_WORDS_MAX * 8) {
        slab->bytes += to_bytes - from_bytes;
        return memory_resize(block, to_bytes);
    }
    void *moved = timer_slab_take(slab, to);
    memcpy(moved, block, words * 8);
    timer_slab_give(slab, block, from);
    return moved;
}
