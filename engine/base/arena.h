/*
 * Bytes that are freed all at once, addressed by offset so that they may move
 * while they grow and may be copied as a whole.
 *
 * Owner    arena_init() on the caller's memory, arena_deinit() frees.
 * Pointers from arena_at() are valid until the next call that allocates.
 */
#pragma once

#include <stdint.h>
#include <string.h>

/* <cdef> */
struct arena { char *bytes; size_t used; size_t capacity; };
/* Room for `bytes` more behind `used`, and 16 bytes beyond that may be read. Does not change `used`. */
void arena_grow(struct arena *arena, size_t bytes);
void arena_deinit(struct arena *arena);
/* </cdef> */

/* A reader may load this many bytes from any address inside `used` without leaving the arena. */
#define ARENA_SLACK_BYTES 16

void arena_init(struct arena *arena);

/* `bytes` uninitialised bytes, 8-byte aligned; the answer is their offset. */
static inline uint64_t arena_allocate(struct arena *arena, size_t bytes)
{
    size_t start = (arena->used + 7) & ~(size_t)7;
    if (start + bytes + ARENA_SLACK_BYTES > arena->capacity)
        arena_grow(arena, bytes + 8);
    arena->used = start + bytes;
    return start;
}

/* The same without alignment, with the bytes filled in: for strings. */
static inline uint64_t arena_append(struct arena *arena, const void *data, size_t bytes)
{
    size_t start = arena->used;
    if (start + bytes + ARENA_SLACK_BYTES > arena->capacity)
        arena_grow(arena, bytes);
    if (bytes > 0)
        memcpy(arena->bytes + start, data, bytes);
    arena->used = start + bytes;
    return start;
}

static inline void *arena_at(const struct arena *arena, uint64_t offset)
{
    return arena->bytes + offset;
}

static inline void arena_clear(struct arena *arena)
{
    arena->used = 0;
}
