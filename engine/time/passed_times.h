/*
 * How far time had come in the attempts before this one. Watermarks are no state (S9), so
 * that time may go back at a restore; what windows forgot by then stays forgotten (S24).
 * Whoever keeps contents that windows share, and notes the attempt in which they came,
 * learns here which windows have forgotten them.
 *
 * Subtasks need not have the same time, so that each speaks for its key groups. Attempts
 * are numbers that rise.
 *
 *   blob     [group_first, group_last, attempt, time, ...]
 *
 * Owner    passed_times_init() and passed_times_deinit(), on the caller's memory.
 * Thread   the worker.
 * Errors   ERROR_CORRUPT for a blob that is damaged.
 */
#pragma once

#include "base/buffer.h"

#include <stdint.h>

/* <cdef> */
struct passed_time { uint16_t group_first, group_last; uint64_t attempt; int64_t time; };

struct passed_times {
    struct buffer items;             /* struct passed_time */
    int64_t latest;                  /* of all; INT64_MIN: there are none */
};

void passed_times_init(struct passed_times *passed);
void passed_times_deinit(struct passed_times *passed);
/* Add what a subtask wrote, of these key groups. */
int passed_times_read(struct passed_times *passed, struct slice blob, uint16_t group_first, uint16_t group_last);
/* What the next attempt has to know: `now` is that of this attempt, for all of its key groups. Nothing is written where no time has passed. */
void passed_times_write(const struct passed_times *passed, const struct passed_time *now, struct buffer *blob);
/* The latest time of a key group since an attempt; INT64_MIN: not known, or none. */
int64_t passed_times_since(const struct passed_times *passed, uint16_t group, uint64_t attempt);
/* </cdef> */
