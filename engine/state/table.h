/*
 * A hash table of entries with stable addresses: keys of a whole batch are
 * resolved at once with prefetch, so the cache misses of many keys overlap
 * instead of adding up.
 *
 * The index is open addressing over 8-byte buckets (16 bits of hash beside the
 * pointer), grown by moving a slice of the old one at each batch, never all at
 * once. Entries lie in chunks and are visited by a clock hand.
 *
 * Thread   the worker that owns it.
 */
#pragma once

#include "base/prefault.h"
#include "codec/batch.h"
#include "state/entry.h"

#include <stddef.h>

/* Entries lie in chunks of one size, each aligned to it. */
#define TABLE_CHUNK_BYTES (2u << 20)

struct table_chunk {
    uint32_t used;   /* places handed out so far */
    uint32_t entries;
    char *places;
};

/* <cdef> */
struct table_chunk;

struct table {
    uint32_t slots;             /* of an entry */
    uint32_t entry_bytes;
    uint64_t *buckets;
    uint64_t mask;
    uint64_t used;              /* buckets that are not empty: entries and tombstones */
    uint64_t *old_buckets;      /* being moved, or NULL */
    uint64_t old_mask;
    uint64_t old_next;          /* the first one not moved yet */
    struct table_chunk **chunks;
    uint32_t chunk_count;
    uint32_t chunk_capacity;
    uint32_t filling;           /* the chunk whose places are handed out */
    struct entry *free_list;
    uint64_t count;             /* live entries */
    size_t key_bytes;           /* of keys that are not inlined */
    uint32_t hand_chunk, hand_index;
};

void table_init(struct table *table, uint32_t slots);
/* Frees entries and keys; payloads of the slots must have been freed by the caller (table_next). */
void table_deinit(struct table *table);

/* Bytes that the table itself keeps: chunks, index, long keys. */
size_t table_bytes(const struct table *table);

/* The entry of a key, or NULL. `key` is readable to the next multiple of 16 and zero-padded there. */
struct entry *table_find(struct table *table, const char *key, uint32_t key_bytes, uint64_t hash);
/* The same, made (all slots absent, flags LIVE) where there is none; *made tells. */
struct entry *table_find_or_make(struct table *table, const char *key, uint32_t key_bytes, uint64_t hash, uint16_t group, bool *made);
/* Forget an entry; its payloads have been freed. */
void table_remove(struct table *table, struct entry *entry);

/*
 * The entries of `count` keys. Keys that have none get NULL and their position
 * is added to `missing`; the answer is how many those are.
 */
int32_t table_find_batch(struct table *table, const struct batch *batch, struct entry **entries, int32_t *missing);

/*
 * For callers with keys of their own: fetch a key's bucket, and some keys later the
 * entry that it points to, before table_find_or_make() needs them. The entry may be another
 * one's, or NULL.
 */
void table_prefetch_bucket(const struct table *table, uint64_t hash);
struct entry *table_prefetch_entry(const struct table *table, uint64_t hash);

/* Move a slice of the old index, if one is being moved: call between batches. */
void table_maintain(struct table *table);

/* Move all of it: for callers that no record waits for. */
void table_settle(struct table *table);
/* Take the memory of this many entries, and an index large enough for them, for an empty table. Nothing of it is touched. */
void table_reserve(struct table *table, uint64_t entries);
/* Its memory in the order in which it will be used, for who wants it present before (base/prefault.h): the first `room` blocks. */
uint32_t table_blocks(const struct table *table, struct memory_block *blocks, uint32_t room);

/* The next entry (live or not: look at its flags) under the clock hand; NULL once when it wraps around. */
struct entry *table_hand_next(struct table *table);

/* A walk over all live entries that other calls may interleave: entries made during it may be missed. */
struct table_cursor { uint32_t chunk, index; };
struct entry *table_next(const struct table *table, struct table_cursor *cursor);
/* </cdef> */

static inline struct entry *table_chunk_entry(const struct table *table, const struct table_chunk *chunk, uint32_t index)
{
    return (struct entry *)(void *)(chunk->places + (size_t)index * table->entry_bytes);
}
