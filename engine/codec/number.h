/*
 * Numbers as text, exactly: what is written reads back as the same cell, and what
 * is read is the double nearest to the text, or the 64-bit integer itself.
 */
#pragma once

#include "codec/cell.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* number_write() needs this much room. */
#define NUMBER_TEXT_BYTES_MAX 32

/* 10^0 to 10^15: a double of at most 15 digits divided by one of them is rounded once, and so correctly. */
extern const double number_powers[16];

/* number_read() for exponents and for more than 15 digits. */
const char *number_read_long(const char *at, struct cell *cell);

/* The text of a NUMBER, INT64 or UINT64: shortest that reads back the same. Answers its bytes. "nan", "inf" and "-inf" are the caller's affair. */
uint32_t number_write(char *at, struct cell cell);

/*
 * The number that the whole of [at, end) is, more freely than JSON: "007", "+5", ".5", "inf". False where it is none,
 * an integer beyond 64 bits, or finite and beyond the range of doubles.
 */
bool number_parse_integer(const char *at, const char *end, struct cell *cell);
bool number_parse_any(const char *at, const char *end, struct cell *cell);

/* <cdef> */
/*
 * Read the JSON number at `at`, behind which stands a byte that cannot belong to
 * a number. Answers the byte behind it, or NULL: it is no JSON number, or beyond
 * the range of doubles. Whole numbers without '.' and exponent beyond 2^53 become
 * INT64 or UINT64 where they fit; -0 is 0.
 */
const char *number_parse(const char *at, struct cell *cell);
/* </cdef> */

static inline bool number_is_digit(char byte)
{
    return (unsigned char)(byte - '0') < 10;
}

/* number_parse() in line. */
static inline const char *number_read(const char *at, struct cell *cell)
{
    const char *digits = at + (*at == '-');
    const char *end = digits;
    uint64_t mantissa = 0;
    while (number_is_digit(*end))
        mantissa = mantissa * 10 + (uint64_t)(*end++ - '0');
    uint64_t count = (uint64_t)(end - digits);
    if (count == 0 || (*digits == '0' && count > 1))
        return NULL;
    uint64_t decimals = 0;
    if (*end == '.') {
        const char *point = end++;
        while (number_is_digit(*end))
            mantissa = mantissa * 10 + (uint64_t)(*end++ - '0');
        decimals = (uint64_t)(end - point) - 1;
        if (decimals == 0)
            return NULL;
    }
    if (count + decimals > 15 || (*end | 0x20) == 'e')
        return number_read_long(at, cell);
    double number = (double)mantissa;
    if (decimals > 0)
        number /= number_powers[decimals];
    *cell = cell_of_number(*at == '-' ? -number : number);
    return end;
}

#ifdef __cplusplus
}
#endif
