/*
 * Seven eighths of the memory are for the caches, an eighth for the store: a
 * cached row answers in tens of nanoseconds, one of the store in microseconds.
 * What the store keeps beyond its part (filters and indexes grow with the rows
 * that it holds) the caches give up, down to half of the memory. Before the store
 * is open its part is nobody's, so that opening it never takes memory that was
 * given out.
 */
#include "state/backend.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STORE_PART 8
#define STORE_PART_MAX 2
#define WRITE_BYTES_MIN (1u << 20)

struct backend {
    char *directory;
    char *base_directory;
    struct store *base;
    uint64_t memory_bytes, walked_places;
    atomic_ullong cache_bytes;
    pthread_mutex_t lock;
    _Atomic(struct store *) store;
    atomic_ullong used;
    atomic_int states;
};

static uint64_t store_part(const struct backend *backend)
{
    return backend->memory_bytes / STORE_PART;
}

struct backend *backend_new(const struct backend_config *config)
{
    struct backend *backend = memory_new_zeroed(1, sizeof *backend);
    backend->directory = memory_copy_text(config->directory);
    backend->base_directory = memory_copy_text(config->base);
    backend->memory_bytes = config->memory_bytes;
    backend->walked_places = config->walked_places;
    atomic_init(&backend->cache_bytes, config->memory_bytes - store_part(backend));
    pthread_mutex_init(&backend->lock, NULL);
    return backend;
}

void backend_free(struct backend *backend)
{
    struct store *store = atomic_load(&backend->store);
    if (store != NULL)
        store_close(store);
    if (backend->base != NULL)
        store_close(backend->base);
    pthread_mutex_destroy(&backend->lock);
    free(backend->directory);
    free(backend->base_directory);
    free(backend);
}

bool backend_spills(const struct backend *backend)
{
    return backend->directory != NULL;
}

struct store *backend_store_opened(struct backend *backend)
{
    return atomic_load_explicit(&backend->store, memory_order_acquire);
}

int backend_store(struct backend *backend, struct store **store)
{
    *store = backend_store_opened(backend);
    if (*store != NULL)
        return 0;
    pthread_mutex_lock(&backend->lock);
    int status = 0;
    *store = atomic_load(&backend->store);
    if (*store == NULL) {
        struct store_config config = { .directory = backend->directory, .memory_bytes = store_part(backend) };
        status = store_open(&config, store);
        if (status == 0) {
            atomic_store_explicit(&backend->store, *store, memory_order_release);
            backend_store_grew(backend); /* it may hold a base */
        }
    }
    pthread_mutex_unlock(&backend->lock);
    return status;
}

int backend_base(struct backend *backend, struct store **store)
{
    int status = 0;
    pthread_mutex_lock(&backend->lock);
    if (backend->base == NULL && backend->base_directory != NULL) {
        struct store_config config = { .directory = backend->base_directory }; /* the least memory: it is read once */
        status = store_open(&config, &backend->base);
    }
    *store = backend->base;
    pthread_mutex_unlock(&backend->lock);
    return status;
}

void backend_share(struct backend *backend, int states)
{
    atomic_fetch_add(&backend->states, states);
}

static uint64_t states_of(const struct backend *backend)
{
    int states = atomic_load_explicit(&((struct backend *)(void *)backend)->states, memory_order_relaxed);
    return states > 0 ? (uint64_t)states : 1;
}

uint64_t backend_share_bytes(const struct backend *backend)
{
    if (!backend_spills(backend))
        return UINT64_MAX;
    return atomic_load_explicit(&((struct backend *)(void *)backend)->cache_bytes, memory_order_relaxed) / states_of(backend);
}

size_t backend_write_bytes(const struct backend *backend)
{
    uint64_t bytes = store_part(backend) / states_of(backend);
    return bytes < WRITE_BYTES_MIN ? WRITE_BYTES_MIN : bytes;
}

uint64_t backend_walked_places(const struct backend *backend)
{
    return backend->walked_places;
}

uint64_t backend_used(const struct backend *backend)
{
    return atomic_load_explicit(&((struct backend *)(void *)backend)->used, memory_order_relaxed);
}

void backend_store_grew(struct backend *backend)
{
    struct store *store = backend_store_opened(backend);
    if (store == NULL)
        return;
    uint64_t memory_bytes, disk_bytes;
    store_sizes(store, &memory_bytes, &disk_bytes);
    uint64_t least = store_part(backend), most = backend->memory_bytes / STORE_PART_MAX;
    uint64_t kept = memory_bytes < least ? least : memory_bytes < most ? memory_bytes : most;
    atomic_store_explicit(&backend->cache_bytes, backend->memory_bytes - kept, memory_order_relaxed);
}

size_t backend_account(struct backend *backend, size_t before, size_t after)
{
    uint64_t used = atomic_fetch_add_explicit(&backend->used, after - before, memory_order_relaxed) + after - before;
    uint64_t cache_bytes = atomic_load_explicit(&backend->cache_bytes, memory_order_relaxed);
    if (used <= cache_bytes || !backend_spills(backend))
        return 0;
    uint64_t share = backend_share_bytes(backend);
    uint64_t over = used - cache_bytes;
    if (after <= share)
        return 0; /* somebody else holds more than its share, and gives back */
    return after - share < over ? (size_t)(after - share) : (size_t)over;
}
