/* A number as canonical msgpack (msgpack.h), in plain loads and stores; private to this floor. */
#pragma once

#include "codec/msgpack_token.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PACKED_NUMBER_BYTES_MAX 9

/* The head, and `bytes` of the operand in front of 8 that may be written. */
static inline char *packed_put_wide(char *at, uint8_t head, uint64_t operand, uint32_t bytes)
{
    uint64_t ordered = __builtin_bswap64(operand << (64 - 8 * bytes));
    *at = (char)head;
    memcpy(at + 1, &ordered, sizeof ordered);
    return at + 1 + bytes;
}

static inline char *packed_put_integer(char *at, int64_t integer)
{
    if (integer >= -32 && integer < 0x80) {
        *at = (char)integer;
        return at + 1;
    }
    uint64_t bits = (uint64_t)integer;
    if (integer >= 0)
        return bits <= UINT8_MAX ? packed_put_wide(at, 0xcc, bits, 1) : bits <= UINT16_MAX ? packed_put_wide(at, 0xcd, bits, 2) :
               bits <= UINT32_MAX ? packed_put_wide(at, 0xce, bits, 4) : packed_put_wide(at, 0xcf, bits, 8);
    return integer >= INT8_MIN ? packed_put_wide(at, 0xd0, bits, 1) : integer >= INT16_MIN ? packed_put_wide(at, 0xd1, bits, 2) :
           integer >= INT32_MIN ? packed_put_wide(at, 0xd2, bits, 4) : packed_put_wide(at, 0xd3, bits, 8);
}

/* PACKED_NUMBER_BYTES_MAX may be written; the answer is the place behind what was. */
static inline char *packed_put_number(char *at, double number)
{
    bool in_range = number >= -(double)CELL_INTEGER_MAX && number <= (double)CELL_INTEGER_MAX;
    if (in_range && (double)(int64_t)number == number)
        return packed_put_integer(at, (int64_t)number);
    union { double number; uint64_t bits; } wide = { .number = number == number ? number : __builtin_nan("") };
    return packed_put_wide(at, 0xcb, wide.bits, 8);
}

/* A number whose head is a byte of its own. */
static inline bool packed_take_wide(const char **at, const char *end, double *number)
{
    uint8_t head = (uint8_t)**at;
    if (head < 0xca || head > 0xd3)
        return false;
    uint32_t bytes = head < 0xcc ? 4u << (head - 0xca) : 1u << (head & 3), unused = 64 - 8 * bytes;
    if (end - *at <= (ptrdiff_t)bytes)
        return false;
    struct token token = { head == 0xca ? TOKEN_FLOAT : head == 0xcb ? TOKEN_DOUBLE : head < 0xd0 ? TOKEN_NATURAL : TOKEN_NEGATIVE, token_operand(*at + 1, bytes) };
    if (token.kind == TOKEN_NEGATIVE)
        token.bits = (uint64_t)((int64_t)(token.bits << unused) >> unused);
    struct cell cell = token_cell(token);
    *number = cell.number;
    *at += 1 + bytes;
    return cell.tag == CELL_NUMBER;
}

/* The number at `at`, which is moved behind it. False where there is none that a double holds, or none that is whole. */
static inline bool packed_take_number(const char **at, const char *end, double *number)
{
    if (*at == end)
        return false;
    uint8_t head = (uint8_t)**at;
    if (head >= 0x80 && head < 0xe0)
        return packed_take_wide(at, end, number);
    *number = (int8_t)head;
    *at += 1;
    return true;
}
