/*
 * The inside of struct timers, for the files that together are it: timers.c (register,
 * fire, undo), timers_bucket.c (logs and their cleaning), timers_epoch.c (sweeps),
 * timers_base.c (bases, restore), timers_store.c (what is spilled). Nobody else includes it.
 *
 * A bucket is closed or open. A closed one's log is only appended to: what a timer's
 * last entry says holds, which is found out when the log is cleaned. It is opened to
 * fire: then every timer in it is live or dead, and changes are made in place.
 *
 * The log is cut by what is written down: [0, swept) is in a delta; up to frozen_end
 * (where the bucket changed again since the barrier) or to its end it belongs to the
 * frozen epoch, the rest to the running one. What is changed in place is swept first.
 *
 * Thread   the worker.
 */
#pragma once

#include "state/state_part.h"
#include "time/timer_calendar.h"
#include "time/timer_item.h"
#include "time/timer_slab.h"
#include "time/timers.h"

struct timer_bucket {
    int64_t time;
    uint32_t used;           /* words of the log */
    uint32_t head;           /* all before it is dead */
    uint32_t swept;
    uint32_t frozen_end;     /* with BUCKET_FROZEN */
    uint32_t dirty_epoch;    /* of the last change that is not swept; 0: none */
    union {
        uint32_t cleaned;    /* closed: words when it was cleaned last */
        uint32_t live;       /* open: live timers */
    };
    uint32_t index;          /* open: 1 + its number in timers->indexes; 0: none */
    uint16_t run_index;      /* in the run's buckets */
    uint8_t flags;
    uint8_t size_class;
    uint64_t log[];
};
#define BUCKET_HEAD_WORDS (sizeof(struct timer_bucket) / 8)

enum bucket_flag {
    BUCKET_UNCLEAN = 1,      /* closed: the log may have deletions or duplicates */
    BUCKET_OPEN = 2,
    BUCKET_IN_RUN = 4,       /* its time was taken out of the calendar's heap */
    BUCKET_FROZEN = 8,       /* changed in the running epoch, with a part of the frozen one unswept */
    BUCKET_BASED = 16,       /* equal to base.based: the base has it, or need not have it */
    BUCKET_LISTED = 32,      /* only while a list of dirty ones is gone through */
};

/* Places of an open bucket's timers by their hashes: 1 + the word, 0 for none. */
struct timer_index { uint32_t mask, used; uint32_t *places; };

/* Buffers of rows of one epoch, the oldest first; only the last one is not full. */
struct timer_rows { struct state_buffer *first, *last; };

/* Times of buckets that changed in one epoch. */
struct timer_dirty { int64_t *times; size_t count, capacity, next; };

struct timer_run {
    int32_t count;
    int32_t taken;           /* of them */
    int32_t room;            /* how many to compose at most, if their times differ */
    bool stale;              /* places in logs have changed since */
    int64_t earliest;        /* time that was registered since */
    struct { uint32_t bucket, place, space; uint32_t space_bytes; } items[BATCH_RECORDS_MAX];
    uint32_t bucket_count;
    struct timer_bucket *buckets[BATCH_RECORDS_MAX];
    struct buffer spaces;
};

struct timers {
    struct timers_config config;
    struct keyed_state *state;
    uint64_t epoch, frozen_epoch;
    struct timer_calendar calendar;
    struct timer_slab slab;
    struct timer_bucket *recent;           /* the bucket that was used last, or NULL */
    struct timer_dirty dirty, frozen;
    struct timer_rows dirty_rows, frozen_rows, dump_rows;
    struct timer_index *indexes;
    uint32_t index_count;
    struct timer_index scratch;            /* of the log that is cleaned */
    struct timer_run run;
    struct buffer held;                    /* changes of the record that may still be undone */
    struct {
        bool running, into_store, inside;
        uint8_t based;                     /* 0 or BUCKET_BASED */
        uint32_t generation;
        uint64_t slot;
        int64_t time;                      /* of the bucket that it is inside */
        uint32_t place;
    } base;
    bool spilled;                          /* timers from `horizon` on are in the store, and only there */
    int64_t horizon;
    bool stored;                           /* the store may hold rows */
    struct store_write *pending;           /* rows on their way to the store */
    struct buffer row;                     /* one on its way into `pending` */
    size_t accounted_bytes;
    int failure;
};

static inline struct timer_item *timers_item(struct timer_bucket *bucket, uint32_t place)
{
    return (struct timer_item *)(void *)&bucket->log[place];
}

static inline uint16_t timers_group(const struct timers *timers, uint64_t hash)
{
    return (uint16_t)(hash % timers->config.max_parallelism);
}

static inline int timers_fail(struct timers *timers, int status)
{
    if (status < 0 && timers->failure == 0)
        timers->failure = status;
    return status;
}

/* ---- timers_bucket.c ---- */

/* Put an entry into the bucket of its time, which is made for a registration; `durable` ones change nothing in the running epoch. */
void timers_append(struct timers *timers, const struct timer_entry *entry);
/* Resolve a closed bucket's log; false: nothing is left, and the bucket is freed. `frozen`: tombstones belong to the frozen epoch. */
bool timers_clean(struct timers *timers, struct timer_bucket *bucket, bool frozen);
bool timers_open(struct timers *timers, struct timer_bucket *bucket);
void timers_free_bucket(struct timers *timers, struct timer_bucket *bucket);
/* A timer is no more: what is written of it is taken back. */
void timers_retire(struct timers *timers, int64_t time, struct timer_item *item, bool frozen);
/* Live timers of a bucket, which is freed if there is none. */
uint64_t timers_live(struct timers *timers, struct timer_bucket *bucket);

/* ---- timers_epoch.c ---- */

/* A row (of a deletion: a tombstone) into the buffers of an epoch. */
void timers_write_row(struct timers *timers, struct timer_rows *rows, int64_t time, const struct timer_item *item, bool removed);
/* Hand over the full buffers, or all. */
void timers_send_rows(struct timers *timers, struct timer_rows *rows, bool all);
/* The key of a row, see timers.h; `bytes` are the timer's key and namespace. */
void timers_write_key(const struct timers *timers, struct buffer *out, int64_t time, uint16_t group, struct slice bytes);
void timers_write_item_key(const struct timers *timers, struct buffer *out, int64_t time, const struct timer_item *item);
/* The bucket is about to change in the running epoch. */
void timers_touch(struct timers *timers, struct timer_bucket *bucket);
bool timers_frozen_unswept(const struct timers *timers, const struct timer_bucket *bucket);
/* Sweep what is frozen of the bucket; answers how many entries, at most `entries`. */
uint32_t timers_sweep_bucket(struct timers *timers, struct timer_bucket *bucket, uint32_t entries);
static inline void timers_settle(struct timers *timers, struct timer_bucket *bucket)
{
    if (timers_frozen_unswept(timers, bucket))
        timers_sweep_bucket(timers, bucket, UINT32_MAX);
}

void timers_freeze(void *self, uint64_t checkpoint);
bool timers_sweep(void *self, uint32_t entries);
bool timers_swept(const void *self);

/* ---- timers_base.c ---- */

void timers_base_begin(void *self, bool into_store);
int timers_base_step(void *self, uint32_t entries);
bool timers_base_running(const void *self);
/* A bucket leaves memory while a base is dumped. */
void timers_base_take(struct timers *timers, struct timer_bucket *bucket);
void timers_restore_begin(void *self, bool stored);
bool timers_owns(const void *self, uint16_t column);
int timers_restore_row(void *self, const struct row *row);
int timers_restore_done(void *self);

/* Take a row's key apart; the entry's slices point into it. */
int timers_read_key(const struct timers *timers, uint16_t group, struct slice key, struct timer_entry *entry);

/* ---- timers_store.c ---- */

size_t timers_bytes(const void *self);
/* Account for memory and spill what the budget asks for. */
void timers_evict(void *self);
bool timers_stored(const void *self);
/* Bring the next range from the store; afterwards there are timers in memory or none in the store. */
int timers_load(struct timers *timers);
/* Change the store's row of a timer. */
void timers_store_put(struct timers *timers, int64_t time, const struct timer_item *item, bool removed);
int timers_store_apply(struct timers *timers);
/* Register or delete beyond the horizon. `durable`: a restored row, which is in a delta already. */
int timers_store_entry(struct timers *timers, const struct timer_entry *entry);
int64_t timers_store_count(struct timers *timers);
