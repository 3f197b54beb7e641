/*
 * Bases and restores. A base walks the buckets that were there when it began (those
 * that are made later come in deltas of the epochs that belong to it), cleans each and
 * writes what lives, in slices. A restore appends rows as they come, or where the store
 * has rows already, changes these: then memory begins empty.
 */
#include "time/timers_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "codec/msgpack.h"
#include "state/row.h"

#define SIGN_BIT ((uint64_t)1 << 63)
#define TIME_BYTES 8

/* ---- Bases ---- */

void timers_base_begin(void *self, bool into_store)
{
    struct timers *timers = self;
    uint8_t based = timers->base.based ^ BUCKET_BASED;
    if (timers->base.running) { /* given up: some have one mark, some the other */
        uint64_t slot = 0;
        for (struct timer_bucket *bucket; (bucket = timer_calendar_next(&timers->calendar, &slot)) != NULL;)
            bucket->flags = (uint8_t)((bucket->flags & ~BUCKET_BASED) | (based ^ BUCKET_BASED));
    }
    timers->base.running = true;
    timers->base.into_store = into_store;
    timers->base.inside = false;
    timers->base.based = based;
    timers->base.slot = 0;
    timers->base.generation = timers->calendar.generation;
}

bool timers_base_running(const void *self)
{
    return ((const struct timers *)self)->base.running;
}

static void base_item(struct timers *timers, int64_t time, struct timer_item *item)
{
    if (item->flags & (ITEM_DEAD | ITEM_DELETE))
        return; /* what was deleted since the log was cleaned has its tombstone in a delta of the base */
    if (!timers->base.into_store) {
        timers_write_row(timers, &timers->dump_rows, time, item, false);
    } else if (!(item->flags & ITEM_STORED)) {
        timers_store_put(timers, time, item, false);
        item->flags |= ITEM_STORED;
    }
    item->flags |= ITEM_DURABLE;
}

static bool awaited(const struct timers *timers, const struct timer_bucket *bucket)
{
    return bucket != NULL && (bucket->flags & BUCKET_BASED) != timers->base.based;
}

/* The bucket to go on with, clean; NULL if all are done. */
static struct timer_bucket *base_bucket(struct timers *timers)
{
    struct timer_bucket *bucket = timers->base.inside ? timer_calendar_find(&timers->calendar, timers->base.time) : NULL;
    if (awaited(timers, bucket))
        return bucket;
    timers->base.inside = false;
    if (timers->base.generation != timers->calendar.generation) {
        timers->base.generation = timers->calendar.generation;
        timers->base.slot = 0;
    }
    while ((bucket = timer_calendar_next(&timers->calendar, &timers->base.slot)) != NULL) {
        if (!awaited(timers, bucket) || ((bucket->flags & BUCKET_UNCLEAN) && !timers_clean(timers, bucket, false)))
            continue;
        timers->base.inside = true;
        timers->base.time = bucket->time;
        timers->base.place = 0;
        return bucket;
    }
    return NULL;
}

static void base_slice(struct timers *timers, struct timer_bucket *bucket, uint32_t *entries)
{
    uint32_t place = timers->base.place;
    while (place < bucket->used && *entries > 0) {
        struct timer_item *item = timers_item(bucket, place);
        base_item(timers, bucket->time, item);
        place += timer_item_words(item);
        --*entries;
    }
    timers->base.place = place;
    if (place < bucket->used)
        return;
    bucket->flags ^= BUCKET_BASED;
    timers->base.inside = false;
}

void timers_base_take(struct timers *timers, struct timer_bucket *bucket)
{
    if (!timers->base.running || timers->base.into_store || !awaited(timers, bucket))
        return;
    for (uint32_t place = 0; place < bucket->used;) {
        struct timer_item *item = timers_item(bucket, place);
        base_item(timers, bucket->time, item);
        place += timer_item_words(item);
    }
}

int timers_base_step(void *self, uint32_t entries)
{
    struct timers *timers = self;
    struct timer_bucket *bucket = NULL;
    while (entries > 0 && (bucket = base_bucket(timers)) != NULL)
        base_slice(timers, bucket, &entries);
    bool done = entries > 0;
    timers_send_rows(timers, &timers->dump_rows, done);
    if (!done)
        return timers->failure;
    if (timers->base.into_store)
        timers_store_apply(timers);
    timers->base.running = false;
    return timers->failure < 0 ? timers->failure : 1;
}

/* ---- Restore ---- */

void timers_restore_begin(void *self, bool stored)
{
    struct timers *timers = self;
    bool any = timers->config.group_first <= timers->config.group_last; /* a worker that the step has no subtask in has no groups */
    timers->stored = timers->spilled = stored && any && backend_spills(timers->config.backend); /* else its rows are read into memory */
    timers->horizon = INT64_MIN;
}

bool timers_owns(const void *self, uint16_t column)
{
    return ((const struct timers *)self)->config.column == column;
}

int timers_read_key(const struct timers *timers, uint16_t group, struct slice key, struct timer_entry *entry)
{
    if (key.bytes <= TIME_BYTES)
        return error_set(ERROR_CORRUPT, "timer row: cut short");
    uint64_t time = 0;
    for (int i = 0; i < TIME_BYTES; i++)
        time = time << 8 | (uint8_t)key.data[i];
    struct slice whole = slice_of(key.data + TIME_BYTES, key.bytes - TIME_BYTES), rest = whole;
    if (msgpack_skip(&rest) < 0)
        return error_wrap(ERROR_CORRUPT, "timer row: its key");
    size_t key_bytes = whole.bytes - rest.bytes;
    if (whole.bytes > ENTRY_KEY_BYTES_MAX)
        return error_set(ERROR_CORRUPT, "timer row: a key of %zu bytes", whole.bytes);
    *entry = (struct timer_entry){
        .time = (int64_t)(time ^ SIGN_BIT), .hash = hash_bytes(whole.data, key_bytes), .key = slice_of(whole.data, key_bytes), .space = rest,
    };
    if (timers_group(timers, entry->hash) != group)
        return error_set(ERROR_CORRUPT, "timer row: its key is not of key group %u", group);
    return 0;
}

int timers_restore_row(void *self, const struct row *row)
{
    struct timers *timers = self;
    struct timer_entry entry;
    int status = timers_read_key(timers, row->group, row->key, &entry);
    if (status < 0)
        return status;
    entry.flags = ITEM_DURABLE | (row->removed ? ITEM_DELETE : 0);
    if (timers->spilled && entry.time >= timers->horizon)
        return timers_store_entry(timers, &entry);
    timers_append(timers, &entry);
    return 0;
}

int timers_restore_done(void *self)
{
    return timers_store_apply(self);
}
