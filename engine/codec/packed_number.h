/* A number as canonical msgpack (msgpack.h), in whole words. */
#pragma once

#include "codec/key.h"

/* The longest one, and what is written for each. */
#define PACKED_NUMBER_BYTES_MAX 9
#define PACKED_NUMBER_ROOM 16

/* Writes PACKED_NUMBER_ROOM bytes at `at`, of which the answer count. One NaN, whatever its bits. */
static inline uint32_t packed_put_number(uint8_t *at, double number)
{
    uint32_t bytes = key_write_number(at, number);
    if (bytes > 0)
        return bytes;
    union { double number; uint64_t bits; } wide = { .number = number == number ? number : __builtin_nan("") };
    return key_write_wide(at, 0xcb, wide.bits, 8);
}
