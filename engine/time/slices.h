/*
 * What a key's windows hold, as accumulators of slices: the pieces of time, as long as
 * the greatest common divisor of size and slide, that overlapping windows share. A record
 * goes into one slice; a window is put together from its slices when it fires.
 *
 * The slices of a key are bytes that state keeps: an array of
 *   start (int64, milliseconds) · attempt (8 bytes) · what each aggregate is kept as (8 bytes) · accumulators (8 bytes each)
 * in order of time, in the machine's byte order; only those that hold a record are there.
 * The attempt is the one in which timers were registered for all windows of the slice:
 * watermarks are no state (S9), so a window that fired before a restore fires again with
 * the first new record.
 *
 *   count   records                  sum   the sum          min, max   of the numbers
 *   avg     the sum, and the records
 *
 * Numbers are doubles. A 64-bit integer that does not fit one makes its sum, min or max in
 * that slice an integer (enum slice_kept): a sum that cannot be told exactly is an error,
 * as it is in Lua (lua/moontide/numbers.lua). A mean is one of doubles.
 *
 * Thread   any.
 * Errors   ERROR_ARGUMENT; the slice is as it was.
 */
#pragma once

#include "codec/cell.h"
#include "time/window.h"

#define AGGREGATES_MAX 8
#define SESSION_HEAD_BYTES 32 /* before the slice of a session: see dataflow/operators/aggregate_sessions.c */
#define SLICE_HEAD_BYTES 24
#define SLICE_BYTES_MAX (SLICE_HEAD_BYTES + 2 * AGGREGATES_MAX * 8)

/* <cdef> */
enum aggregate_kind { AGGREGATE_COUNT = 1, AGGREGATE_SUM = 2, AGGREGATE_MIN = 3, AGGREGATE_MAX = 4, AGGREGATE_AVG = 5 };

struct slices_shape {
    int64_t length;                  /* of a slice */
    uint32_t aggregates;
    uint8_t kinds[8 /* AGGREGATES_MAX */];
    uint32_t first[8];               /* place of each aggregate among the accumulators */
    uint32_t accumulators;           /* of all aggregates */
    uint32_t bytes;                  /* of a slice */
    uint64_t attempt;                /* this one */
};

/* `kinds` are enum aggregate_kind. Length is that of the windows' common slices. */
void slices_shape_init(struct slices_shape *shape, const struct window_shape *windows, const uint8_t *kinds, uint32_t count);
/* The place of the slice that begins at `start` among `count`: where it is (*found), or where it would be. */
uint32_t slices_find(const struct slices_shape *shape, const char *slices, uint32_t count, int64_t start, bool *found);
/* A slice of its first record; one more record. `numbers`: a number for each aggregate but counts. */
void slice_begin(const struct slices_shape *shape, char *slice, int64_t start, const struct cell *numbers);
int slice_add(const struct slices_shape *shape, char *slice, const struct cell *numbers);
/* Take another slice in. */
int slice_join(const struct slices_shape *shape, char *slice, const char *other);
/* What all slices in [start, end) come to: a number for each aggregate. 1; 0: there are none; negative: it cannot be told. */
int slices_result(const struct slices_shape *shape, const char *slices, uint32_t count, int64_t start, int64_t end, struct cell *results);
/* </cdef> */

static inline uint64_t slice_attempt(const char *slice)
{
    uint64_t attempt;
    __builtin_memcpy(&attempt, slice + sizeof(int64_t), sizeof attempt);
    return attempt;
}

static inline void slice_set_attempt(char *slice, uint64_t attempt)
{
    __builtin_memcpy(slice + sizeof(int64_t), &attempt, sizeof attempt);
}

static inline int64_t slice_start(const char *slice)
{
    int64_t start;
    __builtin_memcpy(&start, slice, sizeof start);
    return start;
}

/* Does an aggregate keep an integer that no double holds? */
static inline bool slice_is_wide(const char *slice)
{
    uint64_t kept;
    __builtin_memcpy(&kept, slice + 2 * sizeof(uint64_t), sizeof kept);
    return kept != 0;
}
