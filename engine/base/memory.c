#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory, size_t bytes)
{
    if (memory == NULL && bytes > 0) {
        fprintf(stderr, "moontide: out of memory: %zu bytes\n", bytes);
        abort();
    }
    return memory;
}

void *memory_new(size_t bytes)
{
    return checked(malloc(bytes), bytes);
}

void *memory_new_zeroed(size_t count, size_t bytes)
{
    return checked(calloc(count, bytes), count * bytes);
}

void *memory_new_aligned(size_t alignment, size_t bytes)
{
    return checked(aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment), bytes);
}

void *memory_resize(void *memory, size_t bytes)
{
    return checked(realloc(memory, bytes), bytes);
}

char *memory_copy(const void *data, size_t bytes)
{
    char *copy = memory_new(bytes + 1);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    copy[bytes] = 0;
    return copy;
}

char *memory_copy_text(const char *text)
{
    return text == NULL ? NULL : memory_copy(text, strlen(text));
}
