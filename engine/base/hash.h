/*
 * The hash of keys: XXH3, 64 bits, seed 0 (xxHash 0.8, whose output is frozen).
 * Key groups, and so the place of state in every snapshot, follow from it:
 * it never changes.
 */
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t hash_bytes(const void *data, size_t bytes)
{
    if (bytes <= 16) /* what XXH3_64bits() comes to for these, without its calls */
        return XXH3_len_0to16_64b(data, bytes, XXH3_kSecret, 0);
    return XXH3_64bits(data, bytes);
}
