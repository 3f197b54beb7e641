/*
 * The rows below the cache, behind a table of functions: RocksDB, or nothing.
 *
 * A row is bytes to bytes. Its key is `key group (2 bytes, big endian) · column
 * (2 bytes, big endian) · key · rest`, so a key group is one range. One store
 * serves all workers of the process.
 *
 * Thread   any number at once.
 * Errors   0 or a negative code with error_message(). An absent row is not an error.
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* <cdef> */
struct store;
struct store_write;     /* a batch of puts and removes, applied at once */
struct store_iterator;

struct store_config {
    const char *directory;   /* of its files; made if absent */
    uint64_t memory_bytes;   /* for everything the store keeps in memory: block cache, memtables, filters */
};

/* Open the rows in config->directory (empty, or filled by store_clone()). ERROR_CORRUPT where its files are damaged. */
int store_open(const struct store_config *config, struct store **store);
/* What was written since the last store_checkpoint() may be lost: a store has no value of its own. */
void store_close(struct store *store);
/* Make `directory`, which does not exist yet, a store with the rows of a checkpoint: by hard links, on the same file system. */
int store_clone(const char *checkpoint, const char *directory);

/* Append the row's value to `value`. */
int store_get(struct store *store, struct slice key, struct buffer *value, bool *found);
/* Many at once, in any order: for each i, found[i] and values[i] (a slice into `arena_out`, valid until it is changed). */
int store_get_many(struct store *store, const struct slice *keys, uint32_t count, struct buffer *arena_out, struct slice *values, bool *found);

struct store_write *store_write_new(void);
void store_write_free(struct store_write *write);
void store_write_put(struct store_write *write, struct slice key, struct slice value);
void store_write_remove(struct store_write *write, struct slice key);
uint32_t store_write_count(const struct store_write *write);
size_t store_write_bytes(const struct store_write *write);
/* Apply and clear; after an error the rows are still in it. Batches of 16384 rows and more cost a third of what small ones do. */
int store_write_apply(struct store *store, struct store_write *write);

/* The rows whose keys begin with `prefix`, in key order, as they are now: later writes are not seen. */
struct store_iterator *store_iterate(struct store *store, struct slice prefix);
/* The same from key `from` on, which begins with `prefix`. */
struct store_iterator *store_iterate_from(struct store *store, struct slice prefix, struct slice from);
bool store_iterator_valid(struct store_iterator *iterator);
struct slice store_iterator_key(struct store_iterator *iterator);
struct slice store_iterator_value(struct store_iterator *iterator);
void store_iterator_next(struct store_iterator *iterator);
int store_iterator_close(struct store_iterator *iterator);   /* negative if it met an error */

/* Hard-link a consistent copy of all rows written so far into `directory`, which does not exist yet and is on the same file system. */
int store_checkpoint(struct store *store, const char *directory);

/* Bytes in memory and on disk now. */
void store_sizes(struct store *store, uint64_t *memory_bytes, uint64_t *disk_bytes);
/* </cdef> */
