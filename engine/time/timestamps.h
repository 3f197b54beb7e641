/*
 * The event time of records, taken from a field of theirs.
 *
 * Numbers count from 1970 UTC in a unit; in "ms" they are the time itself, so they
 * have to be whole (L2), the others are rounded down to milliseconds. What a double
 * of seconds means is the decimal nearest to it: 1.001 is 1001 ms. Infinity is the
 * end of time (INT64_MAX), as in Lua. Texts are ISO 8601 or have a format. Anything
 * else, and what is beyond ±2^53 ms, is an error of the record that names field and value.
 *
 * Thread   the worker.
 */
#pragma once

#include "base/slice.h"
#include "codec/batch.h"

/* <cdef> */
struct timestamps;

enum time_unit {
    TIME_UNIT_MS = 1, TIME_UNIT_S = 2, TIME_UNIT_US = 3, TIME_UNIT_NS = 4,
    TIME_UNIT_ISO8601 = 5,
    TIME_UNIT_FORMAT = 6,    /* `format` (time/time_format.h) */
};

struct timestamps_config { struct slice field; int unit; struct slice format; };

/* The texts are copied. ERROR_ARGUMENT: the format is none. */
int timestamps_new(const struct timestamps_config *config, struct timestamps **timestamps);
void timestamps_free(struct timestamps *timestamps);

/*
 * Fill batch->times from record `from` on; the caller has the only reference. Negative: the
 * record *failed has no time, those before it have; go on behind it, if at all.
 */
int timestamps_read(struct timestamps *timestamps, struct batch *batch, int32_t from, int32_t *failed);
/* </cdef> */
