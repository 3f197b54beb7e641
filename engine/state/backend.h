/*
 * What the keyed states of a process share: the budget of memory, and the
 * store below the cache, opened when the first row is evicted (most jobs never
 * need it).
 *
 * Owner    backend_new() allocates, backend_free() frees and closes the store.
 * Thread   any.
 * Errors   0 or a negative code with error_message().
 */
#pragma once

#include "state/store.h"

/* <cdef> */
struct backend;

struct backend_config {
    const char *directory;      /* of the store; NULL: the memory backend, which has no floor below */
    uint64_t memory_bytes;      /* for all caches and the store together */
    uint64_t walked_places;     /* tables of so many places are walked by a thread of their own (walker.h); 0: none is */
    const char *base;           /* memory backend: a store whose rows are restored from, or NULL; closed with the backend */
};

struct backend *backend_new(const struct backend_config *config);
void backend_free(struct backend *backend);

/* The store, opened now if it was not. */
int backend_store(struct backend *backend, struct store **store);
/* The store if it is open, else NULL. */
struct store *backend_store_opened(struct backend *backend);
/* Bytes that all caches use. */
uint64_t backend_used(const struct backend *backend);
/* </cdef> */

/* The store that keyed_state_restore_base() reads, opened now if it was not; *store is NULL if there is none. */
int backend_base(struct backend *backend, struct store **store);
/* Is there a floor below the cache? */
bool backend_spills(const struct backend *backend);

/* One more keyed state shares the budget (or one less: -1). */
void backend_share(struct backend *backend, int states);
/* How much of the memory is for each of them when all want as much as they can get; without a floor below there is no limit. */
uint64_t backend_share_bytes(const struct backend *backend);
/* What rows on their way to the store may take, of its part of memory, for each of them. */
size_t backend_write_bytes(const struct backend *backend);
/* Its use changed from `before` to `after` bytes; the answer is how many bytes it should give back. */
size_t backend_account(struct backend *backend, size_t before, size_t after);
/* The store has taken rows: the caches make room for what it keeps in memory by now. */
void backend_store_grew(struct backend *backend);
/* Its config's walked_places. */
uint64_t backend_walked_places(const struct backend *backend);
