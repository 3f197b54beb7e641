/*
 * Logs of buckets: appending, cleaning, opening. Cleaning goes through a log from its
 * beginning with a hash index of what it has met: of one timer the first registration
 * since its last deletion stays. What is written down of a timer that does not stay is
 * taken back, unless a deletion that came after it is written down too.
 */
#include "time/timers_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>

#define CLEANED_WORDS_MIN 64 /* shorter logs are cleaned only to fire */
#define SCANNED_WORDS_MAX 24 /* as long as one is searched from end to end */
#define INDEX_SIZE_MIN 64

static uint32_t place_hash(const struct timer_item *item)
{
    struct slice space = timer_item_space(item);
    uint64_t hash = timer_item_hash(item);
    if (space.bytes > 0)
        hash ^= hash_bytes(space.data, space.bytes);
    return (uint32_t)(hash * 0x9e3779b97f4a7c15u >> 32);
}

/* ---- The index of a log ---- */

static void index_begin(struct timer_index *index, uint32_t words)
{
    uint32_t size = INDEX_SIZE_MIN;
    while (size < 2 * words) /* an item may be one word */
        size *= 2;
    if (index->places == NULL || index->mask + 1 != size) {
        free(index->places);
        index->places = memory_new(size * sizeof(uint32_t));
        index->mask = size - 1;
    }
    memset(index->places, 0, size * sizeof(uint32_t));
    index->used = 0;
}

/* Where the place of this timer stands, or is to stand. */
static uint32_t *index_find(const struct timer_index *index, struct timer_bucket *bucket, const struct timer_item *wanted)
{
    uint32_t at = place_hash(wanted) & index->mask;
    while (index->places[at] != 0 && !timer_item_same(timers_item(bucket, index->places[at] - 1), wanted))
        at = (at + 1) & index->mask;
    return &index->places[at];
}

static void index_fill(struct timer_index *index, struct timer_bucket *bucket)
{
    index_begin(index, bucket->used - bucket->head);
    for (uint32_t place = bucket->head; place < bucket->used;) {
        const struct timer_item *item = timers_item(bucket, place);
        if (!(item->flags & ITEM_DEAD)) {
            *index_find(index, bucket, item) = place + 1;
            index->used++;
        }
        place += timer_item_words(item);
    }
}

static void index_drop(struct timers *timers, struct timer_bucket *bucket)
{
    if (bucket->index == 0)
        return;
    free(timers->indexes[bucket->index - 1].places);
    timers->indexes[bucket->index - 1] = (struct timer_index){ 0 };
    bucket->index = 0;
}

static struct timer_index *index_of(struct timers *timers, struct timer_bucket *bucket)
{
    if (bucket->index > 0)
        return &timers->indexes[bucket->index - 1];
    uint32_t i = 0;
    while (i < timers->index_count && timers->indexes[i].places != NULL)
        i++;
    if (i == timers->index_count) {
        timers->index_count = i * 2 + 4;
        timers->indexes = memory_resize(timers->indexes, timers->index_count * sizeof timers->indexes[0]);
        memset(&timers->indexes[i], 0, (timers->index_count - i) * sizeof timers->indexes[0]);
    }
    bucket->index = i + 1;
    index_fill(&timers->indexes[i], bucket);
    return &timers->indexes[i];
}

/* ---- Cleaning ---- */

void timers_retire(struct timers *timers, int64_t time, struct timer_item *item, bool frozen)
{
    if (item->flags & ITEM_DURABLE)
        timers_write_row(timers, frozen ? &timers->frozen_rows : &timers->dirty_rows, time, item, true);
    if (item->flags & ITEM_STORED)
        timers_store_put(timers, time, item, true);
    item->flags = ITEM_DEAD;
}

/* The timer's item before `place` that is not dead, or NULL; with an index, `place` is what is found from now on. */
static struct timer_item *met_before(struct timers *timers, struct timer_bucket *bucket, uint32_t place, bool indexed, uint32_t **slot)
{
    const struct timer_item *item = timers_item(bucket, place);
    if (indexed) {
        *slot = index_find(&timers->scratch, bucket, item);
        return **slot == 0 ? NULL : timers_item(bucket, **slot - 1);
    }
    for (uint32_t at = bucket->head; at < place;) {
        struct timer_item *before = timers_item(bucket, at);
        if (!(before->flags & ITEM_DEAD) && timer_item_same(before, item))
            return before;
        at += timer_item_words(before);
    }
    return NULL;
}

/* What is known of a timer from `before` when `item` is met; answers whether `item` stands for it from now on. */
static bool resolve(struct timer_item *before, struct timer_item *item)
{
    uint8_t known = before == NULL ? 0 : before->flags & (ITEM_DURABLE | ITEM_STORED);
    if (item->flags & ITEM_DELETE) {
        if (before != NULL) {
            if (item->flags & ITEM_DURABLE)
                before->flags &= (uint8_t)~ITEM_DURABLE;
            before->flags |= ITEM_KILLED;
        }
        item->flags = ITEM_DEAD;
        return false;
    }
    if (before == NULL)
        return true;
    if (before->flags & ITEM_KILLED) {
        before->flags = ITEM_DEAD;
        item->flags |= known;
        return true;
    }
    before->flags |= item->flags & (ITEM_DURABLE | ITEM_STORED);
    item->flags = ITEM_DEAD;
    return false;
}

static void resolve_log(struct timers *timers, struct timer_bucket *bucket)
{
    bool indexed = bucket->used - bucket->head > SCANNED_WORDS_MAX;
    if (indexed)
        index_begin(&timers->scratch, bucket->used - bucket->head);
    for (uint32_t place = bucket->head; place < bucket->used;) {
        struct timer_item *item = timers_item(bucket, place);
        uint32_t words = timer_item_words(item), *slot = NULL;
        if (!(item->flags & ITEM_DEAD)) {
            struct timer_item *before = met_before(timers, bucket, place, indexed, &slot);
            if (resolve(before, item) && indexed)
                *slot = place + 1;
        }
        place += words;
    }
}

/* Move what lives to the front; all marks of places in the log follow. Answers how many live. */
static uint32_t compact(struct timers *timers, struct timer_bucket *bucket, bool frozen)
{
    bool based = timers->base.inside && timers->base.time == bucket->time;
    uint32_t live = 0, to = 0, swept = 0, base_place = 0;
    for (uint32_t place = 0; place < bucket->used;) {
        struct timer_item *item = timers_item(bucket, place);
        uint32_t words = timer_item_words(item);
        if (item->flags & ITEM_KILLED)
            timers_retire(timers, bucket->time, item, frozen);
        if (!(item->flags & ITEM_DEAD)) {
            memmove(&bucket->log[to], &bucket->log[place], words * sizeof(uint64_t));
            to += words;
            live++;
        }
        swept = place < bucket->swept ? to : swept;
        base_place = place < timers->base.place ? to : base_place;
        place += words;
    }
    if (based)
        timers->base.place = base_place;
    bucket->swept = swept;
    bucket->head = 0;
    bucket->used = to;
    return live;
}

bool timers_clean(struct timers *timers, struct timer_bucket *bucket, bool frozen)
{
    if (!frozen)
        timers_settle(timers, bucket);
    resolve_log(timers, bucket);
    bucket->flags &= (uint8_t)~BUCKET_UNCLEAN;
    bool any = compact(timers, bucket, frozen) > 0;
    bucket->cleaned = bucket->used;
    if (!any)
        timers_free_bucket(timers, bucket);
    return any;
}

bool timers_open(struct timers *timers, struct timer_bucket *bucket)
{
    if (bucket->flags & BUCKET_OPEN)
        return true;
    if ((bucket->flags & BUCKET_UNCLEAN) && !timers_clean(timers, bucket, false))
        return false;
    uint32_t live = 0;
    for (uint32_t place = bucket->head; place < bucket->used; place += timer_item_words(timers_item(bucket, place)))
        live++;
    bucket->flags |= BUCKET_OPEN;
    bucket->live = live;
    return true;
}

uint64_t timers_live(struct timers *timers, struct timer_bucket *bucket)
{
    if (bucket->flags & BUCKET_OPEN)
        return bucket->live;
    if ((bucket->flags & BUCKET_UNCLEAN) && !timers_clean(timers, bucket, false))
        return 0;
    uint64_t live = 0;
    for (uint32_t place = 0; place < bucket->used; place += timer_item_words(timers_item(bucket, place)))
        live++;
    return live;
}

/* ---- Buckets ---- */

void timers_free_bucket(struct timers *timers, struct timer_bucket *bucket)
{
    timers_settle(timers, bucket);
    index_drop(timers, bucket);
    if (timers->recent == bucket)
        timers->recent = NULL;
    timer_calendar_remove(&timers->calendar, bucket);
    timer_slab_give(&timers->slab, bucket, bucket->size_class);
}

static struct timer_bucket *bucket_new(struct timers *timers, int64_t time, uint32_t words)
{
    uint8_t size_class = timer_slab_class(BUCKET_HEAD_WORDS + words);
    struct timer_bucket *bucket = timer_slab_take(&timers->slab, size_class);
    *bucket = (struct timer_bucket){ .time = time, .size_class = size_class, .flags = timers->base.based };
    timer_calendar_add(&timers->calendar, bucket);
    return bucket;
}

static struct timer_bucket *bucket_find(struct timers *timers, int64_t time)
{
    if (timers->recent == NULL || timers->recent->time != time)
        timers->recent = timer_calendar_find(&timers->calendar, time);
    return timers->recent;
}

static bool has_room(const struct timer_bucket *bucket, uint32_t words)
{
    return BUCKET_HEAD_WORDS + bucket->used + words <= timer_slab_words(bucket->size_class);
}

/* A log is cleaned before it grows, if it has doubled since it was; an open one if half of it is dead. */
static struct timer_bucket *make_room(struct timers *timers, struct timer_bucket *bucket, uint32_t words)
{
    if (bucket->flags & BUCKET_OPEN) {
        if (bucket->head * 2 > bucket->used) {
            timers_settle(timers, bucket);
            compact(timers, bucket, false);
            index_drop(timers, bucket);
            timers->run.stale = true;
        }
    } else if ((bucket->flags & BUCKET_UNCLEAN) && bucket->used >= CLEANED_WORDS_MIN && bucket->used / 2 >= bucket->cleaned) {
        if (!timers_clean(timers, bucket, false))
            return NULL;
    }
    if (has_room(bucket, words))
        return bucket;
    uint64_t wanted = BUCKET_HEAD_WORDS + bucket->used + (words > bucket->used / 2 ? words : bucket->used / 2);
    uint8_t size_class = timer_slab_class(wanted);
    struct timer_bucket *old = bucket;
    bucket = timer_slab_move(&timers->slab, old, BUCKET_HEAD_WORDS + old->used, old->size_class, size_class);
    bucket->size_class = size_class;
    timer_calendar_moved(&timers->calendar, old, bucket);
    if (bucket->flags & BUCKET_IN_RUN)
        timers->run.buckets[bucket->run_index] = bucket;
    return timers->recent = bucket;
}

/* The live timer of an open bucket that the entry names, or NULL. The item is written behind the log to be compared; there is room. */
static struct timer_item *open_find(struct timers *timers, struct timer_bucket *bucket, uint32_t **slot)
{
    const struct timer_item *wanted = timers_item(bucket, bucket->used);
    if (bucket->index > 0 || bucket->used - bucket->head > SCANNED_WORDS_MAX) {
        struct timer_index *index = index_of(timers, bucket);
        if (index->used * 2 > index->mask)
            index_fill(index, bucket);
        *slot = index_find(index, bucket, wanted);
        struct timer_item *found = **slot == 0 ? NULL : timers_item(bucket, **slot - 1);
        return found != NULL && !(found->flags & ITEM_DEAD) ? found : NULL;
    }
    for (uint32_t place = bucket->head; place < bucket->used;) {
        struct timer_item *item = timers_item(bucket, place);
        if (!(item->flags & ITEM_DEAD) && timer_item_same(item, wanted))
            return item;
        place += timer_item_words(item);
    }
    return NULL;
}

/* Answers whether the entry stays in the log. */
static bool open_change(struct timers *timers, struct timer_bucket *bucket, const struct timer_entry *entry)
{
    uint32_t *slot = NULL;
    struct timer_item *found = open_find(timers, bucket, &slot);
    if (entry->flags & ITEM_DELETE) {
        if (found != NULL) {
            timers_settle(timers, bucket);
            timers_retire(timers, bucket->time, found, false);
            bucket->live--;
        }
        return false;
    }
    if (found != NULL)
        return false;
    if (slot != NULL) {
        timers->indexes[bucket->index - 1].used += *slot == 0;
        *slot = bucket->used + 1;
    }
    bucket->live++;
    return true;
}

/* Timers that are moved on with every record would leave a small log behind at each time. */
static void clean_short(struct timers *timers, struct timer_bucket *bucket)
{
    if ((bucket->flags & (BUCKET_OPEN | BUCKET_UNCLEAN)) == BUCKET_UNCLEAN && bucket->used <= SCANNED_WORDS_MAX)
        timers_clean(timers, bucket, false);
}

void timers_append(struct timers *timers, const struct timer_entry *entry)
{
    uint32_t words = timer_entry_words(entry);
    struct timer_bucket *bucket = bucket_find(timers, entry->time);
    if (bucket != NULL && !has_room(bucket, words))
        bucket = make_room(timers, bucket, words);
    if (bucket == NULL) {
        if (entry->flags & ITEM_DELETE)
            return; /* every timer of memory is in its bucket */
        bucket = timers->recent = bucket_new(timers, entry->time, words);
    }
    timer_item_write(&bucket->log[bucket->used], entry, words);
    if ((bucket->flags & BUCKET_OPEN) && !open_change(timers, bucket, entry))
        return;
    bool once = entry->fresh || (entry->flags & ITEM_STORED); /* the store has each once */
    if (!(bucket->flags & BUCKET_OPEN) && bucket->used > bucket->head && !once)
        bucket->flags |= BUCKET_UNCLEAN;
    if (entry->flags & ITEM_DURABLE)
        bucket->swept = bucket->used + words; /* while a state is filled nothing is unswept */
    else
        timers_touch(timers, bucket);
    bucket->used += words;
    if (entry->flags & ITEM_DELETE)
        clean_short(timers, bucket);
    else if (!(entry->flags & ITEM_DURABLE) && entry->time < timers->run.earliest)
        timers->run.earliest = entry->time;
}
