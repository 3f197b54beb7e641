/*
 * Records plus the arena that holds their bytes: the unit the engine moves.
 *
 * Owner    batch_take() gives one with a single reference; batch_share() adds one,
 *          batch_drop() removes one, and the last gives it back to the pool.
 *          A batch with more than one reference is only read.
 * Thread   one at a time; the pool may be used by all.
 */
#pragma once

#include "base/arena.h"
#include "codec/cell.h"

#include <stdatomic.h>
#include <stdbool.h>

#define BATCH_RECORDS_MAX 1024
/* A batch is passed on when it holds this much, so that records of many kilobytes do not pile up. */
#define BATCH_BYTES_SOFT (64 * 1024)
/* One record larger than this is an error of the record, wherever it comes from. */
#define RECORD_BYTES_MAX (64 * 1024 * 1024)

/* The time of a record that has none; watermarks use INT64_MIN (MIN) and INT64_MAX (MAX). */
#define TIME_NONE INT64_MIN

/* <cdef> */
/* The canonical msgpack bytes of a key (L4), zero-padded in the arena to a multiple of 16, and their hash. */
struct batch_key { uint64_t hash; uint32_t offset; uint32_t bytes; };

struct batch {
    int32_t count;
    bool keyed;               /* `keys` are filled in */
    uint32_t split;           /* of a source, as its worker numbers them: the records come straight from there; 0: they do not */
    int32_t room;             /* a source puts at most this many records in */
    struct arena arena;
    struct cell *values;      /* [1024], offsets into arena */
    int64_t *times;           /* [1024], milliseconds since 1970 UTC */
    struct batch_key *keys;   /* [1024] */
};

struct batch *batch_take(void);
struct batch *batch_share(struct batch *batch);
void batch_drop(struct batch *batch);
void batch_clear(struct batch *batch);
/* Has the caller the only reference? Then it may change the batch. */
bool batch_is_only(const struct batch *batch);
/* </cdef> */

static inline bool batch_full(const struct batch *batch)
{
    return batch->count >= batch->room || batch->arena.used >= BATCH_BYTES_SOFT;
}

/* Bytes that a batch keeps in memory while it waits in a ring. */
size_t batch_bytes(const struct batch *batch);

/* Copy record `index` of `source` (value, time, key) behind the records of `target`, which is not full. */
void batch_append_record(struct batch *target, const struct batch *source, int32_t index);
/* The same without its key: the target's next key is to be set. */
void batch_append_unkeyed(struct batch *target, const struct batch *source, int32_t index);
/* The same for the first `count` of `picked`, until the target is full; the answer is how many it took. */
int32_t batch_append_picked(struct batch *target, const struct batch *source, const uint16_t *picked, int32_t count);

/* Copy a value from one arena into another. */
struct cell cell_copy(struct cell cell, const char *source_bytes, struct arena *target);
