#include "base/buffer.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_MIN 256

void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){ 0 };
}

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer);
}

void buffer_grow(struct buffer *buffer, size_t capacity)
{
    size_t grown = buffer->capacity < CAPACITY_MIN ? CAPACITY_MIN : buffer->capacity * 2;
    if (grown < capacity)
        grown = capacity;
    buffer->data = memory_resize(buffer->data, grown);
    buffer->capacity = grown;
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int bytes = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    vsnprintf(buffer_reserve(buffer, (size_t)bytes + 1), (size_t)bytes + 1, format, again);
    va_end(again);
    buffer->bytes += (size_t)bytes;
}
