/*
 * Times as texts, to milliseconds since 1970 UTC. Neither the locale nor TZ of the
 * process matters, and what is no date (30 February, 24:00) is refused: libc's strptime
 * takes both, and does not know fractions.
 *
 * Digits beyond the millisecond are cut off, which is down, also before 1970.
 * A second of 60 is the first one of the next minute.
 *
 * Thread   any; a format is only read.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

/* <cdef> */
struct time_format;

/*
 * A format in the manner of strptime: %Y %y %m %b %B %h %d %e %j %H %I %p %M %S %f
 * (fraction of a second, any digits) %z (Z, +hh, +hhmm, +hh:mm) %Z (Z, UTC or GMT) %s
 * (seconds since 1970) %a %A (a day's name, which is not compared) %F %T %D %R %%.
 * A blank stands for any blanks or none; other characters for themselves. Without a
 * zone the time is UTC; a month or a day that is not given is the first.
 * ERROR_ARGUMENT with a message: an unknown directive, one that is given twice, no year.
 */
int time_format_new(struct slice text, struct time_format **format);
void time_format_free(struct time_format *format);
/* False where the text is no such time, to its last byte. */
bool time_format_read(const struct time_format *format, struct slice text, int64_t *time_ms);

/* YYYY-MM-DD, with "T" or a blank and hh:mm, :ss, a fraction behind a point or comma, and Z, +hh, +hhmm or +hh:mm. */
bool time_read_iso8601(struct slice text, int64_t *time_ms);
/* </cdef> */
