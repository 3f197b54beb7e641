/*
 * The buckets of timers by their times: a hash index to find one, and a heap of the
 * distinct times to know the earliest. The heap may hold times whose bucket is gone;
 * they are passed over when they come up, and dropped when they are the most.
 *
 * Owner    timer_calendar_init() on the caller's memory; the buckets are the caller's.
 * Thread   the worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer_bucket;

struct timer_calendar {
    uint64_t *slots;            /* 16 bits of hash beside the pointer; 0: empty, 1: was removed */
    uint64_t mask;
    uint64_t used;              /* slots that are not empty */
    uint64_t count;             /* buckets */
    uint32_t generation;        /* raised when slots are placed anew */
    int64_t *heap;
    size_t heap_count, heap_capacity;
};

void timer_calendar_init(struct timer_calendar *calendar);
void timer_calendar_deinit(struct timer_calendar *calendar);
size_t timer_calendar_bytes(const struct timer_calendar *calendar);

struct timer_bucket *timer_calendar_find(const struct timer_calendar *calendar, int64_t time);
/* A bucket of a time that has none; its time is pushed. */
void timer_calendar_add(struct timer_calendar *calendar, struct timer_bucket *bucket);
/* Its time stays in the heap, to be passed over. */
void timer_calendar_remove(struct timer_calendar *calendar, const struct timer_bucket *bucket);
/* The bucket lies elsewhere now; `old` is only compared. */
void timer_calendar_moved(struct timer_calendar *calendar, const struct timer_bucket *old, struct timer_bucket *bucket);
/* A walk over all buckets, from *slot = 0; NULL at the end. Begins anew when `generation` has changed. */
struct timer_bucket *timer_calendar_next(const struct timer_calendar *calendar, uint64_t *slot);

void timer_calendar_push(struct timer_calendar *calendar, int64_t time);
/* The bucket of the earliest time in the heap; NULL if there is none. */
struct timer_bucket *timer_calendar_first(struct timer_calendar *calendar);
/* Take the earliest time out of the heap. */
void timer_calendar_pop(struct timer_calendar *calendar);
/* Drop the times from `limit` on, and memory that is not needed any more. */
void timer_calendar_cut(struct timer_calendar *calendar, int64_t limit);
