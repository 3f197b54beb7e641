/*
 * Growable bytes.
 *
 * Owner    buffer_init() on the caller's memory, buffer_deinit() frees the bytes.
 *          Pointers into `data` are valid until the next call that may grow it.
 * Errors   growing beyond memory ends the process: see memory.h.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

/* <cdef> */
struct buffer {
    char *data;
    size_t bytes;    /* used */
    size_t capacity;
};

void buffer_init(struct buffer *buffer);
void buffer_deinit(struct buffer *buffer);
/* </cdef> */
void buffer_grow(struct buffer *buffer, size_t capacity);
void buffer_append_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for `bytes` more: a pointer to the first of them. `bytes` of the buffer is not raised. */
static inline char *buffer_reserve(struct buffer *buffer, size_t bytes)
{
    if (buffer->capacity - buffer->bytes < bytes)
        buffer_grow(buffer, buffer->bytes + bytes);
    return buffer->data + buffer->bytes;
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t bytes)
{
    char *target = buffer_reserve(buffer, bytes);
    if (bytes > 0)
        memcpy(target, data, bytes);
    buffer->bytes += bytes;
}

static inline void buffer_append_slice(struct buffer *buffer, struct slice slice)
{
    buffer_append(buffer, slice.data, slice.bytes);
}

static inline void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    *buffer_reserve(buffer, 1) = (char)byte;
    buffer->bytes += 1;
}

static inline void buffer_clear(struct buffer *buffer)
{
    buffer->bytes = 0;
}

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->data, buffer->bytes);
}
