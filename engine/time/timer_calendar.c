/*
 * Removed slots keep their mark until the index is placed anew, so that a walk over
 * the slots meets every bucket that stays. The heap has four children to a node: half
 * the depth of a binary one, and the children lie in one cache line.
 */
#include "time/timer_calendar.h"

#include "base/memory.h"
#include "time/timers_internal.h"

#include <stdlib.h>

#define SLOTS_MIN 64
#define SLOTS_ROOMY 65536 /* up to so many, half a megabyte, short ways are worth more than memory */
#define HEAP_MIN 64
#define REMOVED 1u
#define POINTER_MASK 0xffffffffffffu
#define HEAP_SPARE 1024

static uint64_t hash_of(int64_t time)
{
    uint64_t mixed = (uint64_t)time * 0x9e3779b97f4a7c15u;
    return mixed ^ mixed >> 29;
}

static uint64_t slot_of(const struct timer_bucket *bucket, uint64_t hash)
{
    return (hash & ~(uint64_t)POINTER_MASK) | (uint64_t)(uintptr_t)bucket;
}

static struct timer_bucket *bucket_of(uint64_t slot)
{
    return (struct timer_bucket *)(uintptr_t)(slot & POINTER_MASK);
}

static bool holds(uint64_t slot)
{
    return slot > REMOVED;
}

void timer_calendar_init(struct timer_calendar *calendar)
{
    *calendar = (struct timer_calendar){ .slots = memory_new_zeroed(SLOTS_MIN, sizeof(uint64_t)), .mask = SLOTS_MIN - 1 };
}

void timer_calendar_deinit(struct timer_calendar *calendar)
{
    free(calendar->slots);
    free(calendar->heap);
}

size_t timer_calendar_bytes(const struct timer_calendar *calendar)
{
    return (calendar->mask + 1) * sizeof(uint64_t) + calendar->heap_capacity * sizeof(int64_t);
}

struct timer_bucket *timer_calendar_find(const struct timer_calendar *calendar, int64_t time)
{
    uint64_t hash = hash_of(time);
    for (uint64_t at = hash & calendar->mask;; at = (at + 1) & calendar->mask) {
        uint64_t slot = calendar->slots[at];
        if (slot == 0)
            return NULL;
        if (holds(slot) && slot >> 48 == hash >> 48 && bucket_of(slot)->time == time)
            return bucket_of(slot);
    }
}

static uint64_t place_of(const struct timer_calendar *calendar, const struct timer_bucket *bucket, int64_t time)
{
    uint64_t at = hash_of(time) & calendar->mask;
    while (bucket_of(calendar->slots[at]) != bucket)
        at = (at + 1) & calendar->mask;
    return at;
}

static void place(struct timer_calendar *calendar, struct timer_bucket *bucket)
{
    uint64_t hash = hash_of(bucket->time), at = hash & calendar->mask;
    while (holds(calendar->slots[at]))
        at = (at + 1) & calendar->mask;
    calendar->used += calendar->slots[at] == 0;
    calendar->slots[at] = slot_of(bucket, hash);
}

static void place_anew(struct timer_calendar *calendar)
{
    uint64_t *old = calendar->slots, old_size = calendar->mask + 1, size = SLOTS_MIN;
    while (size < calendar->count * (size <= SLOTS_ROOMY ? 4 : 2))
        size *= 2;
    calendar->slots = memory_new_zeroed(size, sizeof(uint64_t));
    calendar->mask = size - 1;
    calendar->used = 0;
    calendar->generation++;
    for (uint64_t i = 0; i < old_size; i++) {
        if (holds(old[i]))
            place(calendar, bucket_of(old[i]));
    }
    free(old);
}

void timer_calendar_add(struct timer_calendar *calendar, struct timer_bucket *bucket)
{
    calendar->count++;
    place(calendar, bucket);
    uint64_t size = calendar->mask + 1;
    if (size <= SLOTS_ROOMY ? calendar->used * 2 > size : calendar->used * 4 > size * 3)
        place_anew(calendar);
    timer_calendar_push(calendar, bucket->time);
}

void timer_calendar_remove(struct timer_calendar *calendar, const struct timer_bucket *bucket)
{
    uint64_t at = place_of(calendar, bucket, bucket->time);
    bool last = calendar->slots[(at + 1) & calendar->mask] == 0; /* of a run of slots: nothing is sought beyond it */
    calendar->slots[at] = last ? 0 : REMOVED;
    calendar->used -= last;
    calendar->count--;
}

void timer_calendar_moved(struct timer_calendar *calendar, const struct timer_bucket *old, struct timer_bucket *bucket)
{
    calendar->slots[place_of(calendar, old, bucket->time)] = slot_of(bucket, hash_of(bucket->time));
}

struct timer_bucket *timer_calendar_next(const struct timer_calendar *calendar, uint64_t *slot)
{
    while (*slot <= calendar->mask) {
        uint64_t found = calendar->slots[(*slot)++];
        if (holds(found))
            return bucket_of(found);
    }
    return NULL;
}

/* ---- The heap ---- */

static void sift_down(int64_t *heap, size_t count, size_t at)
{
    int64_t time = heap[at];
    for (;;) {
        size_t child = 4 * at + 1, least = child;
        if (child >= count)
            break;
        size_t end = child + 4 < count ? child + 4 : count;
        for (size_t i = child + 1; i < end; i++)
            least = heap[i] < heap[least] ? i : least;
        if (heap[least] >= time)
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = time;
}

static void heap_order(struct timer_calendar *calendar)
{
    for (size_t i = calendar->heap_count / 4 + 1; i-- > 0 && calendar->heap_count > 0;) {
        if (i < calendar->heap_count)
            sift_down(calendar->heap, calendar->heap_count, i);
    }
}

/* One time for each bucket; those of a run, which were popped, come back with it. */
static void heap_fill(struct timer_calendar *calendar)
{
    uint64_t slot = 0;
    calendar->heap_count = 0;
    for (const struct timer_bucket *bucket; (bucket = timer_calendar_next(calendar, &slot)) != NULL;) {
        if (!(bucket->flags & BUCKET_IN_RUN))
            calendar->heap[calendar->heap_count++] = bucket->time;
    }
    heap_order(calendar);
}

void timer_calendar_push(struct timer_calendar *calendar, int64_t time)
{
    if (calendar->heap_count > 2 * calendar->count + HEAP_SPARE) {
        heap_fill(calendar); /* holds `time` already if its bucket is there, which does no harm */
    }
    if (calendar->heap_count == calendar->heap_capacity) {
        calendar->heap_capacity += calendar->heap_capacity / 2 + HEAP_MIN;
        calendar->heap = memory_resize(calendar->heap, calendar->heap_capacity * sizeof(int64_t));
    }
    size_t at = calendar->heap_count++;
    while (at > 0 && calendar->heap[(at - 1) / 4] > time) {
        calendar->heap[at] = calendar->heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    calendar->heap[at] = time;
}

void timer_calendar_pop(struct timer_calendar *calendar)
{
    calendar->heap[0] = calendar->heap[--calendar->heap_count];
    if (calendar->heap_count > 0)
        sift_down(calendar->heap, calendar->heap_count, 0);
}

struct timer_bucket *timer_calendar_first(struct timer_calendar *calendar)
{
    while (calendar->heap_count > 0) {
        struct timer_bucket *bucket = timer_calendar_find(calendar, calendar->heap[0]);
        if (bucket != NULL && !(bucket->flags & BUCKET_IN_RUN))
            return bucket;
        timer_calendar_pop(calendar);
    }
    return NULL;
}

void timer_calendar_cut(struct timer_calendar *calendar, int64_t limit)
{
    size_t kept = 0;
    for (size_t i = 0; i < calendar->heap_count; i++) {
        if (calendar->heap[i] < limit)
            calendar->heap[kept++] = calendar->heap[i];
    }
    calendar->heap_count = kept;
    heap_order(calendar);
    if (calendar->heap_capacity > 2 * kept + HEAP_MIN) {
        calendar->heap_capacity = kept + HEAP_MIN;
        calendar->heap = memory_resize(calendar->heap, calendar->heap_capacity * sizeof(int64_t));
    }
    if (calendar->mask + 1 > SLOTS_MIN && calendar->mask + 1 > 8 * calendar->count)
        place_anew(calendar);
}
