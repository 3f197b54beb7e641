/*
 * An open-addressing table of ids over an append-only array of pointers. A
 * writer holds the mutex; a reader needs none, since an entry is published
 * (release) only when it is complete and is never changed or moved after.
 */
#include "codec/shape.h"

#include "base/hash.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdatomic.h>

#define BUCKETS (SHAPES_MAX * 4)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct shape *) shapes[SHAPES_MAX];
static _Atomic uint32_t buckets[BUCKETS]; /* id + 1; 0 is empty */
static _Atomic uint32_t shapes_count;

static uint64_t names_hash(const struct slice *names, uint32_t count)
{
    uint64_t hash = count;
    for (uint32_t i = 0; i < count; i++)
        hash = (hash ^ hash_bytes(names[i].data, names[i].bytes)) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

static bool names_equal(const struct shape *shape, const struct slice *names, uint32_t count)
{
    if (shape->count != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!slice_equal(shape->names[i], names[i]))
            return false;
    }
    return true;
}

/* The id, or SHAPE_NONE with *bucket at the empty place where it would go. */
static uint32_t find(const struct slice *names, uint32_t count, uint64_t hash, uint32_t *bucket)
{
    for (uint32_t at = hash % BUCKETS;; at = (at + 1) % BUCKETS) {
        uint32_t id = atomic_load_explicit(&buckets[at], memory_order_acquire);
        *bucket = at;
        if (id == 0)
            return SHAPE_NONE;
        if (names_equal(shape_get(id - 1), names, count))
            return id - 1;
    }
}

static struct shape *shape_new(const struct slice *names, uint32_t count)
{
    struct shape *shape = memory_new(sizeof *shape + count * sizeof names[0]);
    shape->id = shapes_count;
    shape->count = count;
    for (uint32_t i = 0; i < count; i++)
        shape->names[i] = slice_of(memory_copy(names[i].data, names[i].bytes), names[i].bytes);
    return shape;
}

static uint32_t insert(const struct slice *names, uint32_t count, uint64_t hash)
{
    uint32_t bucket;
    uint32_t id = find(names, count, hash, &bucket);
    if (id != SHAPE_NONE || shapes_count == SHAPES_MAX)
        return id;
    struct shape *shape = shape_new(names, count);
    atomic_store_explicit(&shapes[shape->id], shape, memory_order_release);
    atomic_store_explicit(&buckets[bucket], shape->id + 1, memory_order_release);
    shapes_count++;
    return shape->id;
}

uint32_t shape_intern(const struct slice *names, uint32_t count)
{
    if (count > SHAPE_FIELDS_MAX)
        return SHAPE_NONE;
    uint64_t hash = names_hash(names, count);
    uint32_t bucket;
    uint32_t id = find(names, count, hash, &bucket);
    if (id != SHAPE_NONE)
        return id;
    pthread_mutex_lock(&lock);
    id = insert(names, count, hash);
    pthread_mutex_unlock(&lock);
    return id;
}

uint32_t shape_count(void)
{
    return atomic_load_explicit(&shapes_count, memory_order_relaxed);
}

const struct shape *shape_get(uint32_t id)
{
    return atomic_load_explicit(&shapes[id], memory_order_acquire);
}

int shape_field(const struct shape *shape, struct slice name)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        if (slice_equal(shape->names[i], name))
            return (int)i;
    }
    return -1;
}
