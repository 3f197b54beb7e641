/*
 * The key bytes of the commonest keys, whole numbers, written in line: what
 * msgpack_write_key() would append, byte for byte, without a call.
 */
#pragma once

#include "base/slice.h"
#include "codec/cell.h"

#include <string.h>

/* <cdef> */
/* The hash of key bytes, for ever the same; the key group is `hash % max_parallelism` (S43). */
uint64_t key_hash(struct slice key);
/* key_write_number() for callers that cannot have it in line. */
uint32_t key_of_number(uint8_t *out, double number);
/* </cdef> */

/* Bytes of key are zero-padded to a multiple of this wherever a batch holds them. */
#define KEY_PAD_BYTES 16

static inline uint64_t key_big_endian(uint64_t natural)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap64(natural);
#else
    return natural;
#endif
}

static inline uint64_t key_little_endian(uint64_t natural)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return natural;
#else
    return __builtin_bswap64(natural);
#endif
}

/*
 * All 16 bytes at `out`, the lowest byte of `low` first. Two whole words: a key's hash reads
 * them at once, and would have to wait for pieces to reach the cache.
 */
static inline void key_store(uint8_t *out, uint64_t low, uint64_t high)
{
    uint64_t words[2] = { key_little_endian(low), key_little_endian(high) };
    memcpy(out, words, sizeof words);
}

/* `head`, then the lowest `width` (1, 2, 4, 8) bytes of `bits`, the highest first; the rest of `out` is zero. */
static inline uint32_t key_write_wide(uint8_t *out, uint8_t head, uint64_t bits, uint32_t width)
{
    uint64_t ordered = __builtin_bswap64(bits << (64 - 8 * width));
    key_store(out, head | ordered << 8, ordered >> 56);
    return 1 + width;
}

static inline uint32_t key_write_small(uint8_t *out, uint8_t byte)
{
    key_store(out, byte, 0);
    return 1;
}

static inline uint32_t key_write_natural(uint8_t *out, uint64_t natural)
{
    if (natural < 0x80)
        return key_write_small(out, (uint8_t)natural);
    if (natural <= UINT8_MAX)
        return key_write_wide(out, 0xcc, natural, 1);
    if (natural <= UINT16_MAX)
        return key_write_wide(out, 0xcd, natural, 2);
    return natural <= UINT32_MAX ? key_write_wide(out, 0xce, natural, 4) : key_write_wide(out, 0xcf, natural, 8);
}

static inline uint32_t key_write_negative(uint8_t *out, int64_t integer)
{
    if (integer >= -32)
        return key_write_small(out, (uint8_t)integer);
    if (integer >= INT8_MIN)
        return key_write_wide(out, 0xd0, (uint64_t)integer, 1);
    if (integer >= INT16_MIN)
        return key_write_wide(out, 0xd1, (uint64_t)integer, 2);
    return integer >= INT32_MIN ? key_write_wide(out, 0xd2, (uint64_t)integer, 4) : key_write_wide(out, 0xd3, (uint64_t)integer, 8);
}

/*
 * The key bytes of a whole number within ±2^53 into the 16 bytes at `out`, zero
 * behind them. Answers their count; 0, with nothing written, for any other number.
 */
static inline uint32_t key_write_number(uint8_t *out, double number)
{
    if (!(number >= -(double)CELL_INTEGER_MAX && number <= (double)CELL_INTEGER_MAX))
        return 0;
    int64_t integer = (int64_t)number;
    if ((double)integer != number)
        return 0;
    return integer >= 0 ? key_write_natural(out, (uint64_t)integer) : key_write_negative(out, integer);
}
