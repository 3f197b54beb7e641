/*
 * One row of a buffer of values by time, as it is written: [time, packed value], all of
 * it msgpack, with a head of fixed length, so that rows are told apart without being read.
 *
 * Errors   0 or a negative code. Thread: any.
 */
#pragma once

#include "base/error.h"
#include "codec/key.h"
#include "codec/msgpack.h"

#include <string.h>

#define TIMED_ROW_HEAD_BYTES 15

/* <cdef> */
/* `order` tells rows of one time apart: the first one that was added is the first. */
struct timed_row { int64_t time; uint32_t order; uint32_t packed_bytes; const char *packed; struct cell cell; };
/* </cdef> */

/* A list of two, a 64-bit integer, the length and the bytes of a binary. */
#define TIMED_ROW_LIST ((char)0x92)
#define TIMED_ROW_INT64 ((char)0xd3)
#define TIMED_ROW_BINARY ((char)0xc6)
#define TIMED_ROW_TIME_AT 2
#define TIMED_ROW_BINARY_AT 10
#define TIMED_ROW_LENGTH_AT 11

/* Times and lengths are big endian, as all of msgpack. */
static inline int64_t timed_row_time(const char *row)
{
    uint64_t ordered;
    memcpy(&ordered, row + TIMED_ROW_TIME_AT, sizeof ordered);
    return (int64_t)key_big_endian(ordered);
}

static inline uint32_t timed_row_length(const char *row)
{
    uint64_t ordered = 0;
    memcpy(&ordered, row + TIMED_ROW_LENGTH_AT, sizeof(uint32_t));
    return (uint32_t)(key_big_endian(ordered) >> 32);
}

static inline bool timed_row_is_whole(struct slice in)
{
    const char *at = in.data;
    return in.bytes >= TIMED_ROW_HEAD_BYTES && at[0] == TIMED_ROW_LIST && at[1] == TIMED_ROW_INT64 && at[TIMED_ROW_BINARY_AT] == TIMED_ROW_BINARY
        && timed_row_length(at) <= in.bytes - TIMED_ROW_HEAD_BYTES;
}

/* The row at the front of `in`, which is moved behind it. */
static inline int timed_row_read(struct slice *in, struct timed_row *row)
{
    if (!timed_row_is_whole(*in)) {
        error_set(ERROR_CORRUPT, "state: a buffered row without its head, or cut short");
        return ERROR_CORRUPT;
    }
    row->time = timed_row_time(in->data);
    row->packed_bytes = timed_row_length(in->data);
    row->packed = in->data + TIMED_ROW_HEAD_BYTES;
    *in = slice_of(row->packed + row->packed_bytes, in->bytes - TIMED_ROW_HEAD_BYTES - row->packed_bytes);
    return 0;
}

/* The row's bytes, in `out`, whose earlier content is gone. */
static inline struct slice timed_row_write(struct buffer *out, int64_t time, const struct cell *value, const char *bytes)
{
    buffer_clear(out);
    buffer_reserve(out, TIMED_ROW_HEAD_BYTES);
    out->bytes = TIMED_ROW_HEAD_BYTES;
    msgpack_write_cell(out, *value, bytes);
    uint64_t ordered_time = key_big_endian((uint64_t)time), length = key_big_endian((uint64_t)(out->bytes - TIMED_ROW_HEAD_BYTES) << 32);
    out->data[0] = TIMED_ROW_LIST;
    out->data[1] = TIMED_ROW_INT64;
    memcpy(out->data + TIMED_ROW_TIME_AT, &ordered_time, sizeof ordered_time);
    out->data[TIMED_ROW_BINARY_AT] = TIMED_ROW_BINARY;
    memcpy(out->data + TIMED_ROW_LENGTH_AT, &length, sizeof(uint32_t));
    return buffer_slice(out);
}

/* Of a block of rows: how many, and their times' range; {0, INT64_MAX, INT64_MIN} of none. */
struct timed_range { int64_t first, last; uint32_t rows; };
#define TIMED_RANGE_EMPTY ((struct timed_range){ .first = INT64_MAX, .last = INT64_MIN })

static inline void timed_range_add(struct timed_range *range, int64_t time)
{
    range->first = time < range->first ? time : range->first;
    range->last = time > range->last ? time : range->last;
    range->rows++;
}

static inline int timed_range_of(struct slice block, struct timed_range *range)
{
    *range = TIMED_RANGE_EMPTY;
    while (block.bytes > 0) {
        struct timed_row row;
        int status = timed_row_read(&block, &row);
        if (status < 0)
            return status;
        timed_range_add(range, row.time);
    }
    return 0;
}
