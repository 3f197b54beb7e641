#include "base/arena.h"

#include "base/memory.h"

#include <stdlib.h>

#define CAPACITY_MIN 4096

void arena_init(struct arena *arena)
{
    *arena = (struct arena){ 0 };
}

void arena_deinit(struct arena *arena)
{
    free(arena->bytes);
    arena_init(arena);
}

void arena_grow(struct arena *arena, size_t bytes)
{
    size_t needed = arena->used + bytes + ARENA_SLACK_BYTES;
    if (needed <= arena->capacity)
        return;
    size_t grown = arena->capacity < CAPACITY_MIN ? CAPACITY_MIN : arena->capacity * 2;
    if (grown < needed)
        grown = needed;
    arena->bytes = memory_resize(arena->bytes, grown);
    arena->capacity = grown;
}
