/*
 * A time in parts, as texts have it: what time_format.c and time_iso8601.c share.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

struct time_parts {
    int year, month, day;        /* 1..9999, 1..12, 1..31 */
    int year_day;                /* 1..366, or 0: month and day hold */
    int hour, minute, second;
    int nanosecond;
    int zone_minutes;            /* east of Greenwich */
};

/* A text that is read from front to end. */
struct time_text { const char *at, *end; };

/* A number of `least` to `most` (9 at the most) digits. */
bool time_take_digits(struct time_text *text, int least, int most, int *value);
bool time_take_byte(struct time_text *text, char byte);
/* Digits behind the point of a second: at least one. */
bool time_take_fraction(struct time_text *text, int *nanosecond);
/* Z, +hh, +hhmm or +hh:mm */
bool time_take_zone(struct time_text *text, int *minutes);
/* False: there is no such day or time of day. */
bool time_of_parts(const struct time_parts *parts, int64_t *time_ms);
