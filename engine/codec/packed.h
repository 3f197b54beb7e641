/*
 * Writing a map or list whose size is not known before its end, and keeping the
 * keys of a map in the canonical order: byte order of their encoded bytes.
 *
 *   size_t start = out->bytes;             struct packed_map map = packed_map_begin(out);
 *   write an element; count++; ...         size_t key = out->bytes; write the key;
 *   packed_list_end(out, start, count);    packed_map_key(&map, out, key); write its value; ...
 *                                          packed_map_end(&map, out, PACKED_LAST_WINS);
 *
 * Owner    the buffer is the caller's; an arena is lent as one with packed_lend().
 */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"

#include <stdint.h>

enum packed_repeated { PACKED_REFUSE, PACKED_LAST_WINS };

struct packed_map {
    size_t start;
    size_t key, key_bytes;   /* of the last key */
    uint32_t count;
    bool sorted;             /* so far, and without a key twice */
};

struct packed_map packed_map_begin(const struct buffer *out);
/* A key was written at [key, out->bytes). */
void packed_map_key(struct packed_map *map, const struct buffer *out, size_t key);
/* Put the entries in order and the head before them. ERROR_FORMAT on a repeated key, unless the last one wins. */
int packed_map_end(struct packed_map *map, struct buffer *out, enum packed_repeated repeated);
void packed_list_end(struct buffer *out, size_t start, uint32_t count);

/* The free end of an arena as a buffer, until packed_return(); the arena is not to be touched in between. */
static inline struct buffer packed_lend(const struct arena *arena)
{
    return (struct buffer){ arena->bytes, arena->used, arena->capacity };
}

static inline void packed_return(struct arena *arena, const struct buffer *buffer)
{
    *arena = (struct arena){ buffer->data, buffer->bytes, buffer->capacity };
    arena_grow(arena, 0);
}
