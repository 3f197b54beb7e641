/*
 * Figures and texts as people read them.
 */
#pragma once

#include "base/buffer.h"

/* <cdef> */
/* "1,234,567", appended. */
void text_append_count(struct buffer *text, uint64_t count);
/* "12 ms", "1.2 s", "3 m 5 s", "2 h 0 m", "4 d 3 h", appended. */
void text_append_duration(struct buffer *text, uint64_t milliseconds);
/* "512 B", "1.5 KB", "20.0 MB": powers of 1024, appended. */
void text_append_size(struct buffer *text, uint64_t bytes);
/* "2001-01-01T00:05:00.000Z" of milliseconds since 1970 UTC, appended. */
void text_append_time(struct buffer *text, int64_t time_ms);
/*
 * Text of unknown origin for a terminal, appended: control characters other than line feed and tab, and bytes that are
 * not UTF-8, as \\xNN. A record could otherwise move the cursor, or worse, of whoever reads about it.
 */
void text_append_printable(struct buffer *text, struct slice bytes);
/* </cdef> */
