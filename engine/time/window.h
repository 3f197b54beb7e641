/*
 * Which windows a time belongs to, when they fire and when they are forgotten:
 * arithmetic alone, in int64 (L1, L2).
 *
 * A window is [start, end): its last millisecond is window_max_timestamp(). An end
 * beyond ±2^53 is INT64_MAX, and so is then the last millisecond: such a window
 * fires when the watermark is MAX. Sizes, gaps, lateness and intervals are at most 2^53.
 *
 * Thread   any.
 * Errors   TIME_NONE or MIN as a time is ERROR_ARGUMENT where a function says so; elsewhere
 *          the caller has checked it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* <cdef> */
struct window { int64_t start, end; };

/* A window of `size` begins every `slide`, shifted by `offset`; tumbling ones have slide == size. */
struct window_shape { int64_t size, slide, offset; };

enum window_stagger { WINDOW_ALIGNED = 0, WINDOW_NATURAL = 1, WINDOW_RANDOM = 2 };

/* 0, or ERROR_ARGUMENT: size and slide are above 0, |offset| < slide (S22). */
int window_shape_check(const struct window_shape *shape);

/* Shift the windows of one subtask as its first record comes at the clock `now_ms`; `random` is any number. What `offset` becomes is state. */
void window_shape_stagger(struct window_shape *shape, int stagger, int64_t now_ms, uint64_t random);

/* Where the window of `size` begins that holds `time` (S21). */
int64_t window_start(int64_t time, int64_t offset, int64_t size);

/*
 * The windows of a time from the latest to the earliest (S22):
 * for (int has = window_last(...); has > 0; has = window_previous(...)).
 * 1 and the window, 0: no more, ERROR_ARGUMENT: `time` is TIME_NONE.
 */
int window_last(const struct window_shape *shape, int64_t time, struct window *window);
int window_previous(const struct window_shape *shape, int64_t time, struct window *window);

int64_t window_max_timestamp(const struct window *window);

/* Has the watermark reached its last millisecond (S20)? */
bool window_is_complete(const struct window *window, int64_t watermark);

/* When its state goes (S24): INT64_MAX means that no timer is set. In processing time lateness is 0. */
int64_t window_cleanup_time(const struct window *window, int64_t lateness);

/* Is a record dropped for this window (S20)? */
bool window_is_late(const struct window *window, int64_t lateness, int64_t watermark);

/* May a record that no window took go to the late side output (S25)? */
bool window_record_is_late(int64_t time, int64_t lateness, int64_t watermark);

/* The next firing of a continuous trigger (S28), at most the window's last millisecond. The remainder truncates, so times before 1970 align upwards. */
int64_t window_next_fire(const struct window *window, int64_t time, int64_t interval);

/* The window [time, time + gap) of one record. ERROR_ARGUMENT: the gap is not above 0 (S29d), or `time` is TIME_NONE. */
int window_session(int64_t time, int64_t gap, struct window *window);

/* Windows that touch count as one (S29). */
bool window_intersects(const struct window *a, const struct window *b);

struct window_merge {
    uint32_t first, count;   /* the old windows that become part of `window` */
    bool merged;             /* false: `window` is the new one, or the one old one as it was; no merge is to be told */
    struct window window;
};

/* What becomes of `added` among the windows of a key, which are in order and do not touch. */
void window_merge(const struct window *windows, uint32_t count, const struct window *added, struct window_merge *merge);

/* The time evictor (S30): indices of what stays, in order, into kept[count]; answers their number. Records without a time stay. */
uint32_t window_keep_recent(const int64_t *times, uint32_t count, int64_t duration, uint32_t *kept);
/* </cdef> */
