/*
 * What is written down of the changes of an epoch. A sweep writes entries of logs as
 * they stand, deletions as tombstones, since the last row of a timer wins. Small logs
 * are cleaned before, so that what was registered and deleted leaves no rows.
 */
#include "time/timers_internal.h"

#include "base/memory.h"
#include "state/row.h"

#include <stdlib.h>

#define CLEANED_WORDS_MAX 16384 /* of a log that a sweep cleans: longer ones are not worth the pause */
#define LIST_MIN 1024
#define VALUE_EMPTY 1           /* a value's length plus one; 0 is a tombstone */
#define SIGN_BIT ((uint64_t)1 << 63)

/* ---- Rows ---- */

static struct buffer *rows_room(struct timers *timers, struct timer_rows *rows)
{
    if (rows->last != NULL && rows->last->rows.bytes < STATE_BUFFER_BYTES)
        return &rows->last->rows;
    struct state_buffer head = {
        .epoch = rows == &timers->frozen_rows ? timers->frozen_epoch : timers->epoch,
        .subtask = timers->config.subtask,
        .group_first = timers->config.group_first,
        .group_last = timers->config.group_last,
        .dump = rows == &timers->dump_rows,
    };
    struct state_buffer *fresh = state_buffer_new(&head);
    if (rows->last == NULL)
        rows->first = fresh;
    else
        rows->last->next = fresh;
    rows->last = fresh;
    return &fresh->rows;
}

void timers_send_rows(struct timers *timers, struct timer_rows *rows, bool all)
{
    while (rows->first != NULL && (all || rows->first->rows.bytes >= STATE_BUFFER_BYTES)) {
        struct state_buffer *full = rows->first;
        rows->first = full->next;
        if (rows->first == NULL)
            rows->last = NULL;
        full->next = NULL;
        timers->config.output.take(timers->config.output.self, full);
    }
}

static void put_big_endian(uint8_t *target, uint64_t number, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        target[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
}

void timers_write_key(const struct timers *timers, struct buffer *out, int64_t time, uint16_t group, struct slice bytes)
{
    uint8_t *target = (uint8_t *)buffer_reserve(out, ROW_KEY_PREFIX_BYTES + 8 + bytes.bytes);
    put_big_endian(target, group, 2);
    put_big_endian(target + 2, timers->config.column, 2);
    put_big_endian(target + ROW_KEY_PREFIX_BYTES, (uint64_t)time ^ SIGN_BIT, 8);
    memcpy(target + ROW_KEY_PREFIX_BYTES + 8, bytes.data, bytes.bytes);
    out->bytes += ROW_KEY_PREFIX_BYTES + 8 + bytes.bytes;
}

static struct slice key_and_space(const struct timer_item *item)
{
    struct slice key = timer_item_key(item);
    return slice_of(key.data, key.bytes + timer_item_space(item).bytes);
}

void timers_write_item_key(const struct timers *timers, struct buffer *out, int64_t time, const struct timer_item *item)
{
    timers_write_key(timers, out, time, timers_group(timers, timer_item_hash(item)), key_and_space(item));
}

void timers_write_row(struct timers *timers, struct timer_rows *rows, int64_t time, const struct timer_item *item, bool removed)
{
    struct buffer *out = rows_room(timers, rows);
    varint_write(out, (uint64_t)ROW_KEY_PREFIX_BYTES + 8 + key_and_space(item).bytes);
    timers_write_item_key(timers, out, time, item);
    buffer_append_byte(out, removed ? 0 : VALUE_EMPTY);
}

/* ---- Dirty buckets ---- */

static bool dirty_in(const struct timers *timers, int64_t time, uint32_t epoch, bool unlisted)
{
    const struct timer_bucket *bucket = timer_calendar_find(&timers->calendar, time);
    return bucket != NULL && bucket->dirty_epoch == epoch && (!unlisted || !(bucket->flags & BUCKET_LISTED));
}

/* Buckets that fired meanwhile leave their times in the list, and those that are made anew come twice. */
static void dirty_compact(struct timers *timers, struct timer_dirty *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!dirty_in(timers, list->times[i], (uint32_t)timers->epoch, true))
            continue;
        timer_calendar_find(&timers->calendar, list->times[i])->flags |= BUCKET_LISTED;
        list->times[kept++] = list->times[i];
    }
    list->count = kept;
    for (size_t i = 0; i < kept; i++)
        timer_calendar_find(&timers->calendar, list->times[i])->flags &= (uint8_t)~BUCKET_LISTED;
}

static void dirty_add(struct timers *timers, int64_t time)
{
    struct timer_dirty *list = &timers->dirty;
    if (list->count == list->capacity) {
        if (list->count > 2 * timers->calendar.count + LIST_MIN)
            dirty_compact(timers, list);
        if (list->count * 2 >= list->capacity) {
            list->capacity = list->capacity * 2 + LIST_MIN;
            list->times = memory_resize(list->times, list->capacity * sizeof list->times[0]);
        }
    }
    list->times[list->count++] = time;
}

bool timers_frozen_unswept(const struct timers *timers, const struct timer_bucket *bucket)
{
    return (bucket->flags & BUCKET_FROZEN) || (bucket->dirty_epoch != 0 && bucket->dirty_epoch == (uint32_t)timers->frozen_epoch);
}

void timers_touch(struct timers *timers, struct timer_bucket *bucket)
{
    if (bucket->dirty_epoch == (uint32_t)timers->epoch)
        return;
    if (timers_frozen_unswept(timers, bucket)) {
        bucket->flags |= BUCKET_FROZEN;
        bucket->frozen_end = bucket->used;
    }
    bucket->dirty_epoch = (uint32_t)timers->epoch;
    dirty_add(timers, bucket->time);
}

/* ---- Sweeping ---- */

uint32_t timers_sweep_bucket(struct timers *timers, struct timer_bucket *bucket, uint32_t entries)
{
    uint32_t end = bucket->flags & BUCKET_FROZEN ? bucket->frozen_end : bucket->used, done = 0;
    while (bucket->swept < end && done < entries) {
        struct timer_item *item = timers_item(bucket, bucket->swept);
        if (!(item->flags & ITEM_DEAD)) {
            timers_write_row(timers, &timers->frozen_rows, bucket->time, item, item->flags & ITEM_DELETE);
            item->flags |= ITEM_DURABLE;
        }
        bucket->swept += timer_item_words(item);
        done++;
    }
    if (bucket->swept >= end) {
        if (bucket->dirty_epoch == (uint32_t)timers->frozen_epoch)
            bucket->dirty_epoch = 0;
        bucket->flags &= (uint8_t)~BUCKET_FROZEN;
    }
    return done;
}

/* Worth cleaning first, and possible: nothing in it belongs to the running epoch. */
static bool cleaned_first(const struct timer_bucket *bucket)
{
    return (bucket->flags & (BUCKET_UNCLEAN | BUCKET_OPEN | BUCKET_FROZEN)) == BUCKET_UNCLEAN && bucket->used <= CLEANED_WORDS_MAX;
}

/* False: the budget is used up and the bucket not swept. */
static bool sweep_next(struct timers *timers, int64_t time, uint32_t *entries)
{
    struct timer_bucket *bucket = timer_calendar_find(&timers->calendar, time);
    if (bucket == NULL || !timers_frozen_unswept(timers, bucket))
        return true;
    if (cleaned_first(bucket) && !timers_clean(timers, bucket, true))
        return true;
    *entries -= timers_sweep_bucket(timers, bucket, *entries);
    return !timers_frozen_unswept(timers, bucket);
}

bool timers_swept(const void *self)
{
    const struct timers *timers = self;
    return timers->frozen.count == 0 && timers->frozen_rows.first == NULL;
}

bool timers_sweep(void *self, uint32_t entries)
{
    struct timers *timers = self;
    struct timer_dirty *list = &timers->frozen;
    while (entries > 0 && list->next < list->count) {
        if (!sweep_next(timers, list->times[list->next], &entries))
            break;
        list->next++;
        entries -= entries > 0;
    }
    bool done = list->next == list->count;
    if (done)
        list->next = list->count = 0;
    timers_send_rows(timers, &timers->frozen_rows, done);
    return done;
}

void timers_freeze(void *self, uint64_t checkpoint)
{
    struct timers *timers = self;
    while (!timers_sweep(timers, UINT32_MAX))
        continue;
    struct timer_dirty empty = timers->frozen;
    timers->frozen = timers->dirty;
    timers->dirty = empty;
    timers->frozen_rows = timers->dirty_rows;
    timers->dirty_rows = (struct timer_rows){ 0 };
    timers->frozen_epoch = timers->epoch;
    timers->epoch = (checkpoint > timers->epoch ? checkpoint : timers->epoch) + 1;
}
