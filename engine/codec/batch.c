/*
 * The pool: every thread keeps a few batches for itself, so that what it used last,
 * and is still in its core's cache, is used first; beyond them there is a stack for
 * all behind a mutex, since batches wander to the workers that take most records.
 * A batch whose arena grew far beyond the usual is freed instead of kept.
 */
#include "codec/batch.h"

#include "base/memory.h"
#include "codec/key.h"
#include "codec/shape.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#define POOL_MAX 256
#define OWN_MAX 8
#define POOLED_ARENA_BYTES_MAX (4 * BATCH_BYTES_SOFT)

/* What callers do not see: the count of references. */
struct pooled_batch {
    struct batch batch;
    atomic_int references;
};

struct own_pool { struct pooled_batch *batches[OWN_MAX]; int count; };

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pooled_batch *pool[POOL_MAX];
static int pool_count;
static _Thread_local struct own_pool own;
static pthread_once_t own_once = PTHREAD_ONCE_INIT;
static pthread_key_t own_key;

static struct pooled_batch *pooled(struct batch *batch)
{
    return (struct pooled_batch *)(void *)batch;
}

static struct pooled_batch *pooled_new(void)
{
    struct pooled_batch *fresh = memory_new_zeroed(1, sizeof *fresh);
    fresh->batch.values = memory_new_aligned(64, BATCH_RECORDS_MAX * sizeof(struct cell));
    fresh->batch.times = memory_new_aligned(64, BATCH_RECORDS_MAX * sizeof(int64_t));
    fresh->batch.keys = memory_new_aligned(64, BATCH_RECORDS_MAX * sizeof(struct batch_key));
    arena_init(&fresh->batch.arena);
    arena_grow(&fresh->batch.arena, BATCH_BYTES_SOFT);
    return fresh;
}

static void pooled_free(struct pooled_batch *old)
{
    arena_deinit(&old->batch.arena);
    free(old->batch.values);
    free(old->batch.times);
    free(old->batch.keys);
    free(old);
}

/* Half of the own batches, and all when the thread ends, go to where others find them. */
static void own_give(struct own_pool *mine, int keep)
{
    pthread_mutex_lock(&pool_lock);
    while (mine->count > keep && pool_count < POOL_MAX)
        pool[pool_count++] = mine->batches[--mine->count];
    pthread_mutex_unlock(&pool_lock);
    while (mine->count > keep)
        pooled_free(mine->batches[--mine->count]);
}

static void own_end(void *mine)
{
    own_give(mine, 0);
}

static void own_key_make(void)
{
    pthread_key_create(&own_key, own_end);
}

/* Before an empty pool gets a batch: the end of the thread is to be noticed. */
static void own_watch(struct own_pool *mine)
{
    pthread_once(&own_once, own_key_make);
    pthread_setspecific(own_key, mine);
}

static void own_take(struct own_pool *mine)
{
    own_watch(mine);
    pthread_mutex_lock(&pool_lock);
    while (mine->count < OWN_MAX / 2 && pool_count > 0)
        mine->batches[mine->count++] = pool[--pool_count];
    pthread_mutex_unlock(&pool_lock);
}

static void own_keep(struct own_pool *mine, struct pooled_batch *old)
{
    if (mine->count == OWN_MAX)
        own_give(mine, OWN_MAX / 2);
    if (mine->count == 0)
        own_watch(mine);
    mine->batches[mine->count++] = old;
}

struct batch *batch_take(void)
{
    if (own.count == 0)
        own_take(&own);
    struct pooled_batch *taken = own.count > 0 ? own.batches[--own.count] : pooled_new();
    atomic_store_explicit(&taken->references, 1, memory_order_relaxed);
    batch_clear(&taken->batch);
    return &taken->batch;
}

struct batch *batch_share(struct batch *batch)
{
    atomic_fetch_add_explicit(&pooled(batch)->references, 1, memory_order_relaxed);
    return batch;
}

void batch_drop(struct batch *batch)
{
    struct pooled_batch *old = pooled(batch);
    if (atomic_fetch_sub_explicit(&old->references, 1, memory_order_acq_rel) > 1)
        return;
    if (batch->arena.capacity <= POOLED_ARENA_BYTES_MAX)
        own_keep(&own, old);
    else
        pooled_free(old);
}

bool batch_is_only(const struct batch *batch)
{
    return atomic_load_explicit(&pooled((struct batch *)(void *)batch)->references, memory_order_acquire) == 1;
}

void batch_clear(struct batch *batch)
{
    batch->count = 0;
    batch->keyed = false;
    batch->split = 0;
    batch->room = BATCH_RECORDS_MAX;
    arena_clear(&batch->arena);
}

size_t batch_bytes(const struct batch *batch)
{
    size_t record = sizeof(struct cell) + sizeof(int64_t) + (batch->keyed ? sizeof(struct batch_key) : 0);
    return (size_t)batch->count * record + batch->arena.used;
}

static struct cell row_copy(struct cell cell, const char *source_bytes, struct arena *target)
{
    uint32_t count = shape_get(cell.length)->count;
    uint64_t row = arena_allocate(target, count * sizeof(struct cell));
    for (uint32_t i = 0; i < count; i++) {
        struct cell field = ((const struct cell *)(const void *)(source_bytes + cell.offset))[i];
        field = cell_copy(field, source_bytes, target);
        ((struct cell *)arena_at(target, row))[i] = field;
    }
    cell.offset = row;
    return cell;
}

struct cell cell_copy(struct cell cell, const char *source_bytes, struct arena *target)
{
    if (cell.tag < CELL_STRING)
        return cell;
    if (cell.tag == CELL_ROW)
        return row_copy(cell, source_bytes, target);
    cell.offset = arena_append(target, source_bytes + cell.offset, cell.length);
    return cell;
}

/* Keys are padded: most are one copy of fixed size. */
static inline void key_copy(struct batch *target, const struct batch *source, int32_t index)
{
    struct batch_key key = source->keys[index];
    const char *bytes = arena_at(&source->arena, key.offset);
    if (key.bytes <= KEY_PAD_BYTES)
        key.offset = (uint32_t)arena_append(&target->arena, bytes, KEY_PAD_BYTES);
    else
        key.offset = (uint32_t)arena_append(&target->arena, bytes, (key.bytes + KEY_PAD_BYTES - 1) & ~(size_t)(KEY_PAD_BYTES - 1));
    target->keys[target->count] = key;
}

static inline void record_copy(struct batch *target, const struct batch *source, int32_t index)
{
    struct cell value = source->values[index];
    if (value.tag >= CELL_STRING)
        value = cell_copy(value, source->arena.bytes, &target->arena);
    target->values[target->count] = value;
    target->times[target->count] = source->times[index];
    if (target->keyed)
        key_copy(target, source, index);
    target->count++;
}

void batch_append_record(struct batch *target, const struct batch *source, int32_t index)
{
    target->keyed = source->keyed;
    record_copy(target, source, index);
}

void batch_append_unkeyed(struct batch *target, const struct batch *source, int32_t index)
{
    target->keyed = false;
    record_copy(target, source, index);
}

int32_t batch_append_picked(struct batch *target, const struct batch *source, const uint16_t *picked, int32_t count)
{
    int32_t taken = 0;
    target->keyed = source->keyed;
    while (taken < count && !batch_full(target))
        record_copy(target, source, picked[taken++]);
    return taken;
}
