/* Bytes that belong to someone else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* <cdef> */
struct slice { const char *data; size_t bytes; };
/* </cdef> */

static inline struct slice slice_of(const void *data, size_t bytes)
{
    return (struct slice){ (const char *)data, bytes };
}

static inline struct slice slice_of_text(const char *text)
{
    return slice_of(text, strlen(text));
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

/* Byte order, the shorter first where one begins the other. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* The first eight bytes as a number: where those of two slices differ, their order is that of slice_compare(). */
static inline uint64_t slice_first(struct slice slice)
{
    uint64_t bytes = 0;
    if (slice.bytes > 0)
        memcpy(&bytes, slice.data, slice.bytes < sizeof bytes ? slice.bytes : sizeof bytes);
    return __builtin_bswap64(bytes);
}
