/*
 * A value, in the one form that it has between source and sink: 16 bytes, and
 * for what does not fit there a place in an arena. Lua reads and writes cells
 * through FFI inside compiled loops, so their layout is part of the cdef.
 *
 *   CELL_NUMBER   a double that is not a 64-bit integer beyond 2^53
 *   CELL_INT64    a signed integer beyond ±2^53; CELL_UINT64 one beyond 2^63-1
 *   CELL_STRING   `length` bytes at `offset`; any bytes, not only UTF-8
 *   CELL_ROW      a map with string keys: `length` is a shape (codec/shape.h),
 *                 `offset` (8-byte aligned) one cell per field of the shape, in the byte
 *                 order of the names; a field cell is never CELL_ABSENT
 *   CELL_PACKED   any other map or list, or a deeper one: `length` bytes of
 *                 msgpack at `offset`, maps with keys in byte order (L6)
 *
 * Offsets count from `bytes` of the arena that owns the cell (a batch's, or a
 * state payload's): a cell means nothing without it. Nested tables inside a row
 * are CELL_PACKED, so a row is flat.
 */
#pragma once

#include <stdint.h>

/* <cdef> */
struct cell {
    uint32_t tag;
    uint32_t length;
    union { double number; int64_t integer; uint64_t natural; uint64_t offset; char *payload; };
};
/* </cdef> */

enum cell_tag {
    CELL_ABSENT = 0, /* nil: no value */
    CELL_NULL = 1,   /* mt.null */
    CELL_FALSE = 2,
    CELL_TRUE = 3,
    CELL_NUMBER = 4,
    CELL_INT64 = 5,
    CELL_UINT64 = 6,
    CELL_STRING = 7,
    CELL_ROW = 8,
    CELL_PACKED = 9,
};

/* The largest integer up to which every one is a double of its own. */
#define CELL_INTEGER_MAX 9007199254740992 /* 2^53 */

/* -0 is 0, as in its bytes (msgpack.h): the sum makes it so. */
static inline struct cell cell_of_number(double number)
{
    return (struct cell){ .tag = CELL_NUMBER, .number = number + 0.0 };
}

/* NUMBER where the double is exact, else INT64. */
static inline struct cell cell_of_int64(int64_t integer)
{
    if (integer >= -CELL_INTEGER_MAX && integer <= CELL_INTEGER_MAX)
        return cell_of_number((double)integer);
    return (struct cell){ .tag = CELL_INT64, .integer = integer };
}

static inline struct cell cell_of_uint64(uint64_t natural)
{
    if (natural <= INT64_MAX)
        return cell_of_int64((int64_t)natural);
    return (struct cell){ .tag = CELL_UINT64, .natural = natural };
}

static inline struct cell cell_of_bool(int truth)
{
    return (struct cell){ .tag = truth ? CELL_TRUE : CELL_FALSE };
}
