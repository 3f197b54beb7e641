/*
 * Rows of entries that hold nothing but numbers under short keys: most rows, and nearly
 * all that a sweep has to hurry for. They are what row_write() of state/row.h comes to,
 * byte for byte, written without a call for each part.
 *
 * Thread   any; no state inside.
 */
#pragma once

#include "codec/key.h"
#include "state/row.h"

#include <string.h>

/* Writes 16 bytes at `target`, of which the answer count. */
static inline uint32_t row_put_number(uint8_t *target, double number)
{
    uint32_t bytes = key_write_number(target, number);
    if (bytes > 0)
        return bytes;
    uint64_t bits;
    memcpy(&bits, &number, 8);
    bits = __builtin_bswap64(bits);
    target[0] = 0xcb;
    memcpy(target + 1, &bits, 8);
    return 9;
}

/* The longest row of numbers, and what is written behind it. */
#define ROW_NUMBERS_BYTES_MAX 128

/* Write the rows of the first entries, up to one that holds something else or nothing; answers how many. */
uint32_t row_write_numbers(struct buffer *out, const struct row_layout *layout, struct entry *const *entries, uint32_t count);
