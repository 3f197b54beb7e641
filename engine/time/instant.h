/*
 * Event time in numbers (L2): whole milliseconds since 1970 UTC within ±TIME_LIMIT,
 * what a Lua number holds exactly. Beyond it there is only TIME_END, which Lua knows
 * as math.huge; "no time" is TIME_NONE of codec/batch.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TIME_LIMIT INT64_C(9007199254740992) /* 2^53 */
#define TIME_END INT64_MAX                   /* MAX: behind every time; as a watermark, the end of input */

/* MIN, which Lua knows as -math.huge, is no time of a record, as TIME_NONE is none (S22). */
static inline bool time_is_stamp(int64_t time)
{
    return time >= -TIME_LIMIT;
}

/* `time` + `duration` (0 to TIME_LIMIT); TIME_END where that is beyond the limit. */
static inline int64_t time_add(int64_t time, int64_t duration)
{
    return time > TIME_LIMIT - duration ? TIME_END : time + duration;
}
