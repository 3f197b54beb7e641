#include "time/window.h"

#include "base/error.h"
#include "codec/batch.h"
#include "time/instant.h"

int window_shape_check(const struct window_shape *shape)
{
    if (shape->size <= 0 || shape->slide <= 0 || shape->size > TIME_LIMIT || shape->slide > TIME_LIMIT)
        return error_set(ERROR_ARGUMENT, "size and slide of a window are above 0");
    if (shape->offset <= -shape->slide || shape->offset >= shape->slide)
        return error_set(ERROR_ARGUMENT, "the offset of a window is smaller than its %s", shape->slide == shape->size ? "size" : "slide");
    return 0;
}

/*
 * How far `time` lies behind the last boundary. Both are reduced first: the difference of far
 * times has no room in int64. A division is dear, and most windows have no offset.
 */
static int64_t behind_boundary(int64_t time, int64_t offset, int64_t size)
{
    int64_t remainder = time % size;
    if (offset != 0)
        remainder = (remainder - offset % size) % size;
    return remainder < 0 ? remainder + size : remainder;
}

void window_shape_stagger(struct window_shape *shape, int stagger, int64_t now_ms, uint64_t random)
{
    int64_t shift = 0;
    if (stagger == WINDOW_NATURAL)
        shift = behind_boundary(now_ms, 0, shape->slide);
    else if (stagger == WINDOW_RANDOM)
        shift = (int64_t)(random % (uint64_t)shape->slide);
    shape->offset = (shape->offset + shift) % shape->slide;
}

int64_t window_start(int64_t time, int64_t offset, int64_t size)
{
    return time - behind_boundary(time, offset, size);
}

static int no_time(void)
{
    return error_set(ERROR_ARGUMENT, "the record has no time stamp, so it belongs to no window: assign_timestamps gives it one");
}

/* 1 if the window that begins at `start` still holds `time`. */
static int window_if_holds(const struct window_shape *shape, int64_t start, int64_t time, struct window *window)
{
    if (start <= time - shape->size)
        return 0;
    *window = (struct window){ start, time_add(start, shape->size) };
    return 1;
}

int window_last(const struct window_shape *shape, int64_t time, struct window *window)
{
    if (!time_is_stamp(time))
        return no_time();
    return window_if_holds(shape, window_start(time, shape->offset, shape->slide), time, window);
}

int window_previous(const struct window_shape *shape, int64_t time, struct window *window)
{
    return window_if_holds(shape, window->start - shape->slide, time, window);
}

int64_t window_max_timestamp(const struct window *window)
{
    return window->end == TIME_END ? TIME_END : window->end - 1;
}

bool window_is_complete(const struct window *window, int64_t watermark)
{
    return window_max_timestamp(window) <= watermark;
}

int64_t window_cleanup_time(const struct window *window, int64_t lateness)
{
    return time_add(window_max_timestamp(window), lateness);
}

bool window_is_late(const struct window *window, int64_t lateness, int64_t watermark)
{
    return window_cleanup_time(window, lateness) <= watermark;
}

bool window_record_is_late(int64_t time, int64_t lateness, int64_t watermark)
{
    return time_add(time, lateness) <= watermark;
}

int64_t window_next_fire(const struct window *window, int64_t time, int64_t interval)
{
    int64_t next = time_add(time - time % interval, interval);
    int64_t last = window_max_timestamp(window);
    return next < last ? next : last;
}

int window_session(int64_t time, int64_t gap, struct window *window)
{
    if (!time_is_stamp(time))
        return no_time();
    if (gap <= 0 || gap > TIME_LIMIT)
        return error_set(ERROR_ARGUMENT, "the gap of a session is above 0, not %lld", (long long)gap);
    *window = (struct window){ time, time_add(time, gap) };
    return 0;
}

bool window_intersects(const struct window *a, const struct window *b)
{
    return a->start <= b->end && a->end >= b->start;
}

/* The first window that ends at `time` or later. */
static uint32_t first_ending_from(const struct window *windows, uint32_t count, int64_t time)
{
    uint32_t first = 0;
    while (count > 0) {
        uint32_t half = count / 2;
        if (windows[first + half].end < time) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return first;
}

/* One look is enough: what the new window joins touched nothing else before. */
void window_merge(const struct window *windows, uint32_t count, const struct window *added, struct window_merge *merge)
{
    *merge = (struct window_merge){ .first = first_ending_from(windows, count, added->start), .window = *added };
    for (uint32_t i = merge->first; i < count && window_intersects(&windows[i], added); i++) {
        merge->window.start = windows[i].start < merge->window.start ? windows[i].start : merge->window.start;
        merge->window.end = windows[i].end > merge->window.end ? windows[i].end : merge->window.end;
        merge->count++;
    }
    const struct window *old = &windows[merge->first];
    bool as_it_was = merge->count == 1 && old->start == merge->window.start && old->end == merge->window.end;
    merge->merged = merge->count > 0 && !as_it_was;
}

uint32_t window_keep_recent(const int64_t *times, uint32_t count, int64_t duration, uint32_t *kept)
{
    int64_t latest = TIME_NONE;
    for (uint32_t i = 0; i < count; i++)
        latest = times[i] > latest ? times[i] : latest;
    uint32_t kept_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (times[i] == TIME_NONE || times[i] > latest - duration)
            kept[kept_count++] = i;
    }
    return kept_count;
}
