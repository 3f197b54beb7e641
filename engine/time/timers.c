/*
 * What a step sees of its timers. To fire, buckets are opened and composed into a run;
 * a timer stays in its bucket until it is taken, so whatever happens between (another
 * one is registered, an epoch ends) finds all timers where they belong.
 *
 * Where a record may be undone its changes are held back until it is committed: nothing
 * asks for timers while a callback runs.
 */
#include "time/timers_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "codec/key.h"

#include <assert.h>
#include <stdlib.h>

#define TIME_BYTES 8
#define RUN_ROOM_MIN 2

/* ---- Undo ---- */

struct held { int64_t time; uint64_t hash; uint32_t key_bytes, space_bytes, deleted, unused; };

static void hold(struct timers *timers, const struct timer_entry *entry)
{
    struct held head = {
        .time = entry->time, .hash = entry->hash, .key_bytes = (uint32_t)entry->key.bytes, .space_bytes = (uint32_t)entry->space.bytes,
        .deleted = entry->flags & ITEM_DELETE,
    };
    buffer_append(&timers->held, &head, sizeof head);
    buffer_append_slice(&timers->held, entry->key);
    buffer_append_slice(&timers->held, entry->space);
}

static int change(struct timers *timers, const struct timer_entry *entry)
{
    if (timers->spilled && entry->time >= timers->horizon)
        return timers_store_entry(timers, entry);
    timers_append(timers, entry);
    return 0;
}

static void timers_commit_record(void *self)
{
    struct timers *timers = self;
    const char *at = timers->held.data, *end = at + timers->held.bytes;
    while (at < end) {
        struct held head;
        memcpy(&head, at, sizeof head);
        const char *key = at + sizeof head, *space = key + head.key_bytes;
        struct timer_entry entry = { head.time, head.hash, slice_of(key, head.key_bytes), slice_of(space, head.space_bytes), .flags = (uint8_t)head.deleted };
        timers_fail(timers, change(timers, &entry));
        at = space + head.space_bytes;
    }
    buffer_clear(&timers->held);
}

static void timers_undo(void *self)
{
    buffer_clear(&((struct timers *)self)->held);
}

/* ---- Register and delete ---- */

static int enter(struct timers *timers, const struct timer_entry *entry)
{
    size_t bytes = entry->key.bytes + entry->space.bytes;
    if (TIME_BYTES + bytes > ENTRY_KEY_BYTES_MAX)
        return error_set(ERROR_TOO_LARGE, "a timer whose key has %zu bytes (at most %d)", bytes, ENTRY_KEY_BYTES_MAX - TIME_BYTES);
    if (!keyed_state_undo_mark(timers->state))
        return change(timers, entry);
    hold(timers, entry);
    return 0;
}

int timers_register(struct timers *timers, int64_t time, uint64_t hash, struct slice key, struct slice name_space)
{
    struct timer_entry entry = { time, hash, key, name_space, .flags = 0 };
    return enter(timers, &entry);
}

int timers_register_new(struct timers *timers, int64_t time, uint64_t hash, struct slice key, struct slice name_space)
{
    struct timer_entry entry = { time, hash, key, name_space, .fresh = true };
    return enter(timers, &entry);
}

int timers_delete(struct timers *timers, int64_t time, uint64_t hash, struct slice key, struct slice name_space)
{
    struct timer_entry entry = { time, hash, key, name_space, .flags = ITEM_DELETE };
    return enter(timers, &entry);
}

/* ---- Firing ---- */

static struct timer_bucket *run_first(const struct timers *timers)
{
    for (uint32_t i = 0; i < timers->run.bucket_count; i++) {
        if (timers->run.buckets[i]->live > 0)
            return timers->run.buckets[i];
    }
    return NULL;
}

bool timers_next(struct timers *timers, int64_t *time)
{
    const struct timer_bucket *in_run = run_first(timers), *bucket = timer_calendar_first(&timers->calendar);
    while (in_run == NULL && bucket == NULL && timers->spilled) {
        if (timers_load(timers) < 0)
            return false;
        bucket = timer_calendar_first(&timers->calendar);
    }
    if (in_run != NULL && (bucket == NULL || in_run->time < bucket->time))
        bucket = in_run;
    if (bucket != NULL)
        *time = bucket->time;
    return bucket != NULL;
}

/*
 * A callback that registers a timer among those of its run ends it. Where they do that again and
 * again (sessions that have grown, timers that go on to the next moment), long runs would be composed
 * for the sake of their first timers.
 */
static int32_t run_room(const struct timer_run *run)
{
    if (run->taken == run->count)
        return run->room < BATCH_RECORDS_MAX / 2 ? 2 * run->room : BATCH_RECORDS_MAX;
    return run->taken > RUN_ROOM_MIN / 2 ? 2 * run->taken : RUN_ROOM_MIN;
}

/* The buckets of the last run go back to where they came from, or away. */
static void run_end(struct timers *timers)
{
    struct timer_run *run = &timers->run;
    run->room = run_room(run);
    for (uint32_t i = 0; i < run->bucket_count; i++) {
        struct timer_bucket *bucket = run->buckets[i];
        bucket->flags &= (uint8_t)~BUCKET_IN_RUN;
        if (bucket->live == 0)
            timers_free_bucket(timers, bucket);
        else
            timer_calendar_push(&timers->calendar, bucket->time);
    }
    run->bucket_count = 0;
    run->count = 0;
    run->taken = 0;
    run->stale = false;
    run->earliest = INT64_MAX;
    buffer_clear(&run->spaces);
}

/* The key, zero-padded as a batch has it; items are padded to words. */
static void run_add_key(struct batch *batch, const struct timer_item *item)
{
    struct slice key = timer_item_key(item);
    size_t padded = (key.bytes + KEY_PAD_BYTES - 1) & ~(size_t)(KEY_PAD_BYTES - 1);
    size_t start = arena_allocate(&batch->arena, padded);
    char *target = arena_at(&batch->arena, start);
    memset(target + padded - KEY_PAD_BYTES, 0, KEY_PAD_BYTES);
    timers_copy(target, key.data, key.bytes);
    batch->keys[batch->count] = (struct batch_key){ timer_item_hash(item), (uint32_t)start, (uint32_t)key.bytes };
}

static void run_add(struct timers *timers, const struct timer_bucket *bucket, uint32_t place, struct batch *batch)
{
    struct timer_run *run = &timers->run;
    const struct timer_item *item = timers_item((struct timer_bucket *)(void *)bucket, place);
    run->items[run->count].bucket = run->bucket_count - 1;
    run->items[run->count].place = place;
    run->items[run->count].space = (uint32_t)run->spaces.bytes;
    struct slice space = timer_item_space(item);
    run->items[run->count].space_bytes = (uint32_t)space.bytes;
    if (space.bytes > 0)
        buffer_append_slice(&run->spaces, space);
    run_add_key(batch, item);
    batch->values[batch->count] = (struct cell){ .tag = CELL_ABSENT };
    batch->times[batch->count] = bucket->time;
    batch->count++;
    run->count++;
}

static void run_add_bucket(struct timers *timers, struct timer_bucket *bucket, struct batch *batch)
{
    struct timer_run *run = &timers->run;
    bucket->flags |= BUCKET_IN_RUN;
    bucket->run_index = (uint16_t)run->bucket_count;
    run->buckets[run->bucket_count++] = bucket;
    bool dead_before = true;
    for (uint32_t place = bucket->head; place < bucket->used && !batch_full(batch);) {
        const struct timer_item *item = timers_item(bucket, place);
        uint32_t words = timer_item_words(item);
        dead_before = dead_before && (item->flags & ITEM_DEAD);
        if (dead_before)
            bucket->head = place + words;
        else if (!(item->flags & ITEM_DEAD))
            run_add(timers, bucket, place, batch);
        place += words;
    }
}

static void run_compose(struct timers *timers, int64_t now, struct batch *run)
{
    while (!batch_full(run) && timers->run.bucket_count < (uint32_t)timers->run.room) {
        struct timer_bucket *bucket = timer_calendar_first(&timers->calendar);
        if (bucket == NULL || bucket->time > now)
            break;
        timer_calendar_pop(&timers->calendar);
        if (timers_open(timers, bucket))
            run_add_bucket(timers, bucket, run);
    }
}

/* All timers of the buckets that are due may have been deleted: what comes behind them, in memory or in the store, may be due as well. */
int timers_due(struct timers *timers, int64_t now, struct batch *run)
{
    run->keyed = true;
    for (;;) {
        run_end(timers);
        int64_t earliest;
        if (!timers_next(timers, &earliest))
            return timers->failure;
        if (earliest > now)
            return 0;
        run_compose(timers, now, run);
        if (timers->run.count > 0)
            return timers->run.count;
    }
}

int timers_take(struct timers *timers, int32_t index)
{
    struct timer_run *run = &timers->run;
    if (index < 0 || index >= run->count)
        return error_set(ERROR_ARGUMENT, "timer %d of a run of %d", index, run->count);
    struct timer_bucket *bucket = run->buckets[run->items[index].bucket];
    if (run->stale || run->earliest < bucket->time)
        return TIMER_STALE;
    struct timer_item *item = timers_item(bucket, run->items[index].place);
    run->taken = index + 1;
    if (item->flags & ITEM_DEAD)
        return TIMER_GONE;
    timers_settle(timers, bucket);
    timers_retire(timers, bucket->time, item, false);
    bucket->live--;
    return TIMER_FIRE;
}

struct slice timers_name_space(const struct timers *timers, int32_t index)
{
    const struct timer_run *run = &timers->run;
    assert(index >= 0 && index < run->count);
    return slice_of(run->spaces.data + run->items[index].space, run->items[index].space_bytes);
}

/* ---- Count ---- */

int64_t timers_count(struct timers *timers)
{
    int64_t count = timers_store_count(timers);
    uint64_t slot = 0;
    for (struct timer_bucket *bucket; count >= 0 && (bucket = timer_calendar_next(&timers->calendar, &slot)) != NULL;)
        count += (int64_t)timers_live(timers, bucket);
    return count;
}

/* ---- As a part of the keyed state ---- */

static int timers_failure(const void *self)
{
    return ((const struct timers *)self)->failure;
}

/* What is counted is state; timers have a count of their own. */
static uint64_t timers_rows(void *self)
{
    (void)self;
    return 0;
}

static const struct state_part timers_part = {
    .freeze = timers_freeze, .sweep = timers_sweep, .swept = timers_swept,
    .base_begin = timers_base_begin, .base_step = timers_base_step, .base_running = timers_base_running, .stored = timers_stored,
    .restore_begin = timers_restore_begin, .owns = timers_owns, .restore_row = timers_restore_row, .restore_done = timers_restore_done,
    .commit_record = timers_commit_record, .undo = timers_undo,
    .evict = timers_evict, .failure = timers_failure, .rows = timers_rows, .bytes = timers_bytes,
};

struct timers *timers_new(const struct timers_config *config, struct keyed_state *state)
{
    struct timers *timers = memory_new_zeroed(1, sizeof *timers);
    timers->config = *config;
    timers->state = state;
    timers->epoch = config->epoch > 0 ? config->epoch : 1; /* 0 is a bucket's mark of not being dirty */
    timers->run.earliest = INT64_MAX;
    timers->run.room = BATCH_RECORDS_MAX;
    timers->pending = store_write_new();
    timer_calendar_init(&timers->calendar);
    timer_slab_init(&timers->slab);
    buffer_init(&timers->run.spaces);
    buffer_init(&timers->held);
    buffer_init(&timers->row);
    backend_share(config->backend, 1);
    keyed_state_attach(state, &timers_part, timers);
    return timers;
}

static void rows_free(struct timer_rows *rows)
{
    while (rows->first != NULL) {
        struct state_buffer *buffer = rows->first;
        rows->first = buffer->next;
        state_buffer_free(buffer);
    }
}

static void indexes_free(struct timers *timers)
{
    for (uint32_t i = 0; i < timers->index_count; i++)
        free(timers->indexes[i].places);
    free(timers->indexes);
    free(timers->scratch.places);
}

void timers_free(struct timers *timers)
{
    keyed_state_detach(timers->state, timers);
    backend_account(timers->config.backend, timers->accounted_bytes, 0);
    backend_share(timers->config.backend, -1);
    uint64_t slot = 0;
    for (struct timer_bucket *bucket; (bucket = timer_calendar_next(&timers->calendar, &slot)) != NULL;)
        timer_slab_give(&timers->slab, bucket, bucket->size_class);
    timer_slab_deinit(&timers->slab);
    timer_calendar_deinit(&timers->calendar);
    rows_free(&timers->dirty_rows);
    rows_free(&timers->frozen_rows);
    rows_free(&timers->dump_rows);
    indexes_free(timers);
    store_write_free(timers->pending);
    buffer_deinit(&timers->run.spaces);
    buffer_deinit(&timers->held);
    buffer_deinit(&timers->row);
    free(timers->dirty.times);
    free(timers->frozen.times);
    free(timers);
}
