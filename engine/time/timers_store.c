/*
 * Below memory. Over its share of the budget the latest buckets go to the store, and a
 * horizon divides: timers before it are in memory, those from it on only in the store,
 * where they are registered and deleted blindly. When all before it have fired, the
 * next range is read, some rows of every key group, and the horizon is where the first
 * group broke off. A row that was read stays in the store until its timer fires.
 */
#include "time/timers_internal.h"

#include "base/error.h"
#include "base/memory.h"
#include "state/row.h"

#include <stdlib.h>

#define SAMPLES 256
#define SPILLED_PART_MIN 16         /* of the bytes in memory, at least */
#define SPILLED_BUCKETS_MAX 65536   /* roughly, at once */
#define APPLIED_ROWS 16384          /* the store takes as many as one sorted file */
#define LOADED_ROWS 16384
#define LOADED_ROWS_OF_GROUP_MIN 16

/* ---- Rows ---- */

int timers_store_apply(struct timers *timers)
{
    struct store *store;
    if (store_write_count(timers->pending) == 0)
        return 0;
    int status = backend_store(timers->config.backend, &store);
    return timers_fail(timers, status < 0 ? status : store_write_apply(store, timers->pending));
}

void timers_store_put(struct timers *timers, int64_t time, const struct timer_item *item, bool removed)
{
    buffer_clear(&timers->row);
    timers_write_item_key(timers, &timers->row, time, item);
    if (removed)
        store_write_remove(timers->pending, buffer_slice(&timers->row));
    else
        store_write_put(timers->pending, buffer_slice(&timers->row), slice_of("", 0));
    timers->stored = true;
    if (store_write_count(timers->pending) >= APPLIED_ROWS)
        timers_store_apply(timers);
}

/* One item outside of any log: what is written of a timer that is not in memory. */
static const struct timer_item *item_of(struct timer_entry const *entry, struct buffer *room)
{
    uint32_t words = timer_entry_words(entry);
    return timer_item_write((uint64_t *)(void *)buffer_reserve(room, words * sizeof(uint64_t)), entry, words);
}

int timers_store_entry(struct timers *timers, const struct timer_entry *entry)
{
    struct buffer room;
    buffer_init(&room);
    const struct timer_item *item = item_of(entry, &room);
    bool removed = entry->flags & ITEM_DELETE;
    if (!(entry->flags & ITEM_DURABLE))
        timers_write_row(timers, &timers->dirty_rows, entry->time, item, removed);
    timers_store_put(timers, entry->time, item, removed);
    buffer_deinit(&room);
    return timers->failure;
}

bool timers_stored(const void *self)
{
    return ((const struct timers *)self)->stored;
}

/* ---- Spilling ---- */

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* A time such that about this part of the buckets is not before it; false if that would be all of them. */
static bool choose_horizon(const struct timers *timers, double part, int64_t *horizon)
{
    const struct timer_calendar *calendar = &timers->calendar;
    int64_t samples[SAMPLES];
    size_t count = calendar->heap_count < SAMPLES ? calendar->heap_count : SAMPLES;
    for (size_t i = 0; i < count; i++)
        samples[i] = calendar->heap[i * calendar->heap_count / count];
    if (count == 0)
        return false;
    qsort(samples, count, sizeof samples[0], compare_times);
    size_t at = (size_t)((1 - part) * (double)count);
    while (at < count && samples[at] <= calendar->heap[0])
        at++;
    if (at == count)
        return false;
    *horizon = samples[at];
    return true;
}

/* The timers of a run stay in memory until they are taken. */
static bool run_reaches(const struct timers *timers, int64_t horizon)
{
    for (uint32_t i = 0; i < timers->run.bucket_count; i++) {
        if (timers->run.buckets[i]->live > 0 && timers->run.buckets[i]->time >= horizon)
            return true;
    }
    return false;
}

/* It leaves memory: what is not yet written of it goes to the delta of its epoch, all of it to the store. */
static void spill_bucket(struct timers *timers, struct timer_bucket *bucket)
{
    if ((bucket->flags & BUCKET_UNCLEAN) && !timers_clean(timers, bucket, false))
        return;
    timers_settle(timers, bucket);
    timers_base_take(timers, bucket);
    for (uint32_t place = bucket->head; place < bucket->used;) {
        struct timer_item *item = timers_item(bucket, place);
        if (!(item->flags & ITEM_DEAD)) {
            if (place >= bucket->swept)
                timers_write_row(timers, &timers->dirty_rows, bucket->time, item, false);
            if (!(item->flags & ITEM_STORED))
                timers_store_put(timers, bucket->time, item, false);
        }
        place += timer_item_words(item);
    }
    timers_free_bucket(timers, bucket);
}

static void cut(struct timers *timers, int64_t horizon)
{
    timer_calendar_cut(&timers->calendar, horizon);
    timers->spilled = true;
    timers->horizon = horizon;
}

static void spill(struct timers *timers, size_t wanted)
{
    const struct timer_calendar *calendar = &timers->calendar;
    double part = (double)(wanted + timers->accounted_bytes / SPILLED_PART_MIN) / (double)timers->accounted_bytes;
    if (part > 0.5)
        part = 0.5;
    if (part * (double)calendar->heap_count > SPILLED_BUCKETS_MAX)
        part = SPILLED_BUCKETS_MAX / (double)calendar->heap_count;
    int64_t horizon;
    if (timer_calendar_first(&timers->calendar) == NULL || !choose_horizon(timers, part, &horizon) || run_reaches(timers, horizon))
        return;
    for (size_t i = 0; i < calendar->heap_count; i++) {
        struct timer_bucket *bucket = calendar->heap[i] < horizon ? NULL : timer_calendar_find(calendar, calendar->heap[i]);
        if (bucket != NULL && !(bucket->flags & BUCKET_IN_RUN))
            spill_bucket(timers, bucket);
    }
    cut(timers, horizon);
    timers_store_apply(timers);
}

size_t timers_bytes(const void *self)
{
    const struct timers *timers = self;
    size_t bytes = timers->slab.bytes + timer_calendar_bytes(&timers->calendar);
    return bytes + (timers->dirty.capacity + timers->frozen.capacity) * sizeof(int64_t);
}

static size_t account(struct timers *timers)
{
    size_t bytes = timers_bytes(timers);
    size_t over = backend_account(timers->config.backend, timers->accounted_bytes, bytes);
    timers->accounted_bytes = bytes;
    return over;
}

void timers_evict(void *self)
{
    struct timers *timers = self;
    if (timers_swept(timers))
        timers_send_rows(timers, &timers->dirty_rows, false);
    size_t over = account(timers);
    if (over == 0 || timers->failure < 0)
        return;
    spill(timers, over);
    account(timers);
}

/* ---- Loading ---- */

static struct store_iterator *group_iterate(const struct timers *timers, struct store *store, uint32_t group, int64_t from)
{
    struct buffer key;
    buffer_init(&key);
    timers_write_key(timers, &key, from, (uint16_t)group, slice_of("", 0));
    struct store_iterator *iterator = store_iterate_from(store, slice_of(key.data, ROW_KEY_PREFIX_BYTES), buffer_slice(&key));
    buffer_deinit(&key);
    return iterator;
}

struct range { bool more; int64_t end; uint32_t rows_max; };

/* Rows of one group into memory, whole times only, up to where another group broke off. */
static int load_group(struct timers *timers, struct store *store, uint32_t group, struct range *range)
{
    struct store_iterator *iterator = group_iterate(timers, store, group, timers->horizon);
    int status = 0;
    int64_t last = 0;
    for (uint32_t rows = 0; store_iterator_valid(iterator); store_iterator_next(iterator), rows++) {
        struct slice key = store_iterator_key(iterator);
        struct timer_entry entry;
        status = timers_read_key(timers, (uint16_t)group, slice_of(key.data + ROW_KEY_PREFIX_BYTES, key.bytes - ROW_KEY_PREFIX_BYTES), &entry);
        if (status < 0 || (range->more && entry.time >= range->end))
            break;
        if (rows >= range->rows_max && entry.time != last) {
            *range = (struct range){ true, entry.time, range->rows_max };
            break;
        }
        entry.flags = ITEM_DURABLE | ITEM_STORED;
        last = entry.time;
        timers_append(timers, &entry);
    }
    int closed = store_iterator_close(iterator);
    return status < 0 ? status : closed;
}

/* What was loaded beyond the end of the range is in the store as it was. */
static void unload(struct timers *timers, int64_t end)
{
    const struct timer_calendar *calendar = &timers->calendar;
    for (size_t i = 0; i < calendar->heap_count; i++) {
        struct timer_bucket *bucket = calendar->heap[i] < end ? NULL : timer_calendar_find(calendar, calendar->heap[i]);
        if (bucket != NULL)
            timers_free_bucket(timers, bucket);
    }
    cut(timers, end);
}

int timers_load(struct timers *timers)
{
    struct store *store;
    int status = timers_store_apply(timers);
    if (status == 0)
        status = backend_store(timers->config.backend, &store);
    uint32_t groups = (uint32_t)timers->config.group_last - timers->config.group_first + 1;
    struct range range = { .rows_max = LOADED_ROWS / groups > LOADED_ROWS_OF_GROUP_MIN ? LOADED_ROWS / groups : LOADED_ROWS_OF_GROUP_MIN };
    for (uint32_t i = 0; i < groups && status == 0; i++)
        status = load_group(timers, store, timers->config.group_first + i, &range);
    if (status < 0)
        return timers_fail(timers, status);
    timers->spilled = range.more;
    if (range.more)
        unload(timers, range.end);
    return 0;
}

int64_t timers_store_count(struct timers *timers)
{
    struct store *store;
    if (!timers->spilled)
        return 0;
    int status = timers_store_apply(timers);
    if (status == 0)
        status = backend_store(timers->config.backend, &store);
    int64_t count = 0;
    for (uint32_t group = timers->config.group_first; group <= timers->config.group_last && status == 0; group++) {
        struct store_iterator *iterator = group_iterate(timers, store, group, timers->horizon);
        for (; store_iterator_valid(iterator); store_iterator_next(iterator))
            count++;
        status = store_iterator_close(iterator);
    }
    return status < 0 ? timers_fail(timers, status) : count;
}
