/* Searching and comparing short runs of bytes without a call; private to this floor. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Names and short strings are looked at in chunks: this many bytes behind the text must be readable where a function says so. */
#define BYTES_CHUNK 16

static inline uint64_t bytes_load8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t bytes_load4(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* slice_equal() for names, which are short: two overlapping loads. */
static inline bool bytes_equal(struct slice a, struct slice b)
{
    if (a.bytes != b.bytes)
        return false;
    if (a.bytes >= 8 && a.bytes <= 16)
        return bytes_load8(a.data) == bytes_load8(b.data) && bytes_load8(a.data + a.bytes - 8) == bytes_load8(b.data + b.bytes - 8);
    if (a.bytes >= 4 && a.bytes < 8)
        return bytes_load4(a.data) == bytes_load4(b.data) && bytes_load4(a.data + a.bytes - 4) == bytes_load4(b.data + b.bytes - 4);
    return slice_equal(a, b);
}

#ifdef __SSE2__
static inline uint32_t bytes_chunk_mask(const char *at, char wanted)
{
    __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)at);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8(wanted)));
}

/* Is `wanted` in the text? BYTES_CHUNK bytes behind it must be readable. */
static inline bool bytes_contain(const char *text, size_t bytes, char wanted)
{
    for (; bytes > BYTES_CHUNK; text += BYTES_CHUNK, bytes -= BYTES_CHUNK) {
        if (bytes_chunk_mask(text, wanted) != 0)
            return true;
    }
    return (bytes_chunk_mask(text, wanted) & ((1u << bytes) - 1)) != 0;
}
#else
static inline bool bytes_contain(const char *text, size_t bytes, char wanted)
{
    return memchr(text, wanted, bytes) != NULL;
}
#endif

/* Where the next `bytes` of the arena go, and a chunk behind them; `used` is not raised. */
static inline char *bytes_room(struct arena *arena, size_t bytes)
{
    if (arena->used + bytes + ARENA_SLACK_BYTES > arena->capacity)
        arena_grow(arena, bytes);
    return arena->bytes + arena->used;
}

/* memcpy() for what is nearly always short: overlapping loads and stores instead of a call, and nothing beyond the bytes is touched. */
static inline void bytes_copy_short(char *to, const char *from, size_t bytes)
{
    if (bytes >= 8 && bytes <= 16) {
        uint64_t front = bytes_load8(from), back = bytes_load8(from + bytes - 8);
        memcpy(to, &front, 8);
        memcpy(to + bytes - 8, &back, 8);
    } else if (bytes >= 4 && bytes < 8) {
        uint32_t front = bytes_load4(from), back = bytes_load4(from + bytes - 4);
        memcpy(to, &front, 4);
        memcpy(to + bytes - 4, &back, 4);
    } else if (bytes > 0) {
        memcpy(to, from, bytes);
    }
}

static inline void bytes_append_short(struct buffer *buffer, const char *from, size_t bytes)
{
    bytes_copy_short(buffer_reserve(buffer, bytes), from, bytes);
    buffer->bytes += bytes;
}

/* Copy in chunks: up to BYTES_CHUNK bytes behind `from` are read, and behind `to` written. */
static inline void bytes_copy(char *to, const char *from, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += BYTES_CHUNK)
        memcpy(to + done, from + done, BYTES_CHUNK);
}
