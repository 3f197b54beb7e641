#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

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

/* The kernel aligns as it likes: one huge page more is mapped, and what is over at both ends given back. */
void *memory_map(size_t bytes)
{
    char *mapped = mmap(NULL, bytes + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    checked(mapped == MAP_FAILED ? NULL : mapped, bytes);
    size_t before = (HUGE_PAGE_BYTES - (uintptr_t)mapped % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    if (before > 0)
        munmap(mapped, before);
    munmap(mapped + before + bytes, HUGE_PAGE_BYTES - before);
    madvise(mapped + before, bytes, MADV_HUGEPAGE);
    return mapped + before;
}

void memory_unmap(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}
