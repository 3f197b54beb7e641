/*
 * What windows that overlap come to, without going through all their slices each time one
 * fires. Boundaries lie a window's size apart, so that every window holds one: it comes to
 * what its slices before the boundary come to, and those from it on. For the first there is
 * a sum from each slice up to the boundary, made once a size; for the others one sum, which
 * grows with each window. So a slice is added three times, however many windows share it.
 * Each key has boundaries of its own: not all of them come to theirs in the same moment.
 *
 * What doubles come to depends on the order in which they are added, and that on slices,
 * window and key alone: neither on when a window fires nor on what has been kept here.
 * Slices in which the order matters more (64-bit integers; a number that is none, in min
 * and max) are left to slices_result().
 *
 * Owner    the caller, of the bytes; they may be thrown away at any time.
 * Thread   any.
 */
#pragma once

#include "time/slices.h"

#include <stddef.h>

/* <cdef> */
struct slice_sums {
    int64_t boundary;
    int64_t until;           /* slices from the boundary on that begin before it are in the sum; INT64_MAX: of no use any more */
    int64_t unsummed;        /* the last slice that is left to slices_result(); INT64_MIN: none */
    uint32_t count, next;    /* sums up to the boundary; the one that a window wanted last */
    uint64_t any;            /* slices from the boundary on */
    double numbers[];        /* accumulators of these; then for each sum: where its first slice begins, and its accumulators */
};

/* The slices of a key, in order of time; the newest one may lie apart from the others, behind them. */
struct slices_view { const char *slices; uint32_t count; const char *newest; };

/* Do windows have so many slices, and share them? */
bool slice_sums_pay(const struct slices_shape *shape, const struct window_shape *windows);
/* The boundary of a window; `key` is any number that stays the same for the key. */
int64_t slice_sums_boundary(const struct slices_shape *shape, const struct window_shape *windows, uint32_t key, const struct window *window);
/* How many sums a window and those after it need up to `boundary`, and the bytes of as many. */
uint32_t slice_sums_wanted(const struct slices_shape *shape, const struct slices_view *view, const struct window *window, int64_t boundary);
uint32_t slice_sums_bytes(const struct slices_shape *shape, uint32_t count);
/* Can it tell of this window? Not if a later one was asked for before. */
bool slice_sums_serve(const struct slice_sums *sums, const struct window *window);
/* Make those for a window: `count` as above. */
void slice_sums_make(const struct slices_shape *shape, struct slice_sums *sums, const struct slices_view *view, const struct window *window,
                     int64_t boundary, uint32_t count);
enum slice_sums_told { SLICE_SUMS_NONE = 0 /* no slice is in the window */, SLICE_SUMS_TOLD = 1, SLICE_SUMS_UNTOLD = 2 /* ask slices_result() */ };
/* Add the slices that the window has and earlier ones had not. Without `older` only the newest one can be such. */
void slice_sums_extend(const struct slices_shape *shape, struct slice_sums *sums, const struct slices_view *view, const struct window *window, bool older);
/* What the window comes to, up to whose end they are extended: a number for each aggregate. Answers enum slice_sums_told. */
int slice_sums_result(const struct slices_shape *shape, struct slice_sums *sums, const struct window *window, struct cell *results);
/* </cdef> */

/* The sum that the next window probably begins with. */
static inline const double *slice_sums_next(const struct slices_shape *shape, const struct slice_sums *sums)
{
    return &sums->numbers[shape->accumulators + (size_t)sums->next * (1 + shape->accumulators)];
}

/* A slice that begins at `start` changes. */
static inline void slice_sums_changed(struct slice_sums *sums, int64_t start)
{
    if (sums != NULL && start < sums->until)
        sums->until = INT64_MAX;
}
