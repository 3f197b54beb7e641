#include "state/table.h"

#include "base/fetch.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BUCKETS_MIN 1024
#define BUCKET_TOMBSTONE 1u
#define POINTER_MASK 0xffffffffffffu
#define HUGE_PAGE_BYTES TABLE_CHUNK_BYTES
#define MOVED_PER_SLICE 8192
/* At each new key, so that the old index is empty before the new one fills up, however many keys one batch makes. */
#define MOVED_PER_KEY 4
#define MOVE_AHEAD 16
/* Keys between two stages of a search: as many as the processor fetches lines for at once, and some more. */
#define FETCH_AHEAD 32

/*
 * A chunk lies on a huge page: with keys at random, most of what a lookup costs
 * beyond the cache miss itself is finding the page. A table's first one does not,
 * so that a few entries take little memory.
 */
static char *places_new(bool huge)
{
    char *places = memory_new_aligned(TABLE_CHUNK_BYTES, TABLE_CHUNK_BYTES);
    if (huge)
        madvise(places, TABLE_CHUNK_BYTES, MADV_HUGEPAGE);
    return places;
}

/* A large index comes as pages that the kernel clears one by one as they are met: no pause for all of it. */
static uint64_t *buckets_new(uint64_t count)
{
    size_t bytes = count * sizeof(uint64_t);
    return bytes < HUGE_PAGE_BYTES ? memory_new_zeroed(count, sizeof(uint64_t)) : memory_map(bytes);
}

static void buckets_free(uint64_t *buckets, uint64_t count)
{
    size_t bytes = count * sizeof(uint64_t);
    if (bytes < HUGE_PAGE_BYTES)
        free(buckets);
    else
        memory_unmap(buckets, bytes);
}

/* An entry that fits in one line of the processor's caches lies in one: a third less to fetch for a third more memory. */
static uint32_t entry_bytes_of(uint32_t slots)
{
    uint32_t bytes = (uint32_t)(offsetof(struct entry, slots) + slots * sizeof(struct cell));
    return bytes < CACHE_LINE_BYTES ? CACHE_LINE_BYTES : bytes;
}

void table_init(struct table *table, uint32_t slots)
{
    *table = (struct table){ .slots = slots };
    table->entry_bytes = entry_bytes_of(slots);
    table->mask = BUCKETS_MIN - 1;
    table->buckets = buckets_new(BUCKETS_MIN);
}

void table_deinit(struct table *table)
{
    for (uint32_t c = 0; c < table->chunk_count; c++) {
        struct table_chunk *chunk = table->chunks[c];
        for (uint32_t i = 0; i < chunk->used; i++) {
            struct entry *entry = table_chunk_entry(table, chunk, i);
            if ((entry->flags & ENTRY_LIVE) && entry->key_bytes > ENTRY_KEY_INLINED_MAX)
                free(entry->key.pointer);
        }
        free(chunk->places);
        free(chunk);
    }
    free(table->chunks);
    buckets_free(table->buckets, table->mask + 1);
    if (table->old_buckets != NULL)
        buckets_free(table->old_buckets, table->old_mask + 1);
    *table = (struct table){ 0 };
}

size_t table_bytes(const struct table *table)
{
    size_t index = (table->mask + 1) * sizeof(uint64_t);
    size_t old = table->old_buckets == NULL ? 0 : (table->old_mask + 1) * sizeof(uint64_t);
    return index + old + table->count * (size_t)table->entry_bytes + table->key_bytes;
}

static uint64_t bucket_of(const struct entry *entry)
{
    return (uint64_t)entry->hash_tag << 48 | (uint64_t)(uintptr_t)entry;
}

static struct entry *bucket_entry(uint64_t bucket)
{
    return (struct entry *)(uintptr_t)(bucket & POINTER_MASK);
}

static uint16_t hash_tag(uint64_t hash)
{
    return (uint16_t)(hash >> 16);
}

static inline bool bucket_matches(uint64_t bucket, uint64_t hash, const char *key, uint32_t key_bytes)
{
    return bucket > BUCKET_TOMBSTONE && bucket >> 48 == hash_tag(hash) && entry_has_key(bucket_entry(bucket), key, key_bytes);
}

/* Probe one index; buckets before `from` count as moved away. The empty bucket behind its line if the key is not in it. */
static uint64_t *probe(uint64_t *buckets, uint64_t mask, uint64_t from, const char *key, uint32_t key_bytes, uint64_t hash)
{
    for (uint64_t at = (hash >> 32) & mask;; at = (at + 1) & mask) {
        if (buckets[at] == 0)
            return &buckets[at];
        if (at >= from && bucket_matches(buckets[at], hash, key, key_bytes))
            return &buckets[at];
    }
}

static uint64_t *find_bucket(struct table *table, const char *key, uint32_t key_bytes, uint64_t hash)
{
    uint64_t *found = probe(table->buckets, table->mask, 0, key, key_bytes, hash);
    if (*found == 0 && table->old_buckets != NULL)
        found = probe(table->old_buckets, table->old_mask, table->old_next, key, key_bytes, hash);
    return *found == 0 ? NULL : found;
}

struct entry *table_find(struct table *table, const char *key, uint32_t key_bytes, uint64_t hash)
{
    uint64_t *bucket = find_bucket(table, key, key_bytes, hash);
    return bucket == NULL ? NULL : bucket_entry(*bucket);
}

/* Also of an index that has none. */
static bool may_have_tombstones(const struct table *table)
{
    return table->used != table->count || table->old_buckets != NULL;
}

static void bucket_insert(struct table *table, struct entry *entry)
{
    uint64_t at = entry->hash & table->mask;
    while (table->buckets[at] > BUCKET_TOMBSTONE)
        at = (at + 1) & table->mask;
    table->used += table->buckets[at] == 0;
    table->buckets[at] = bucket_of(entry);
}

/* Where an entry goes is written in it: entries of the buckets ahead are on their way before they are read. */
static void move_slice(struct table *table, uint64_t slice)
{
    while (slice-- > 0 && table->old_next <= table->old_mask) {
        if (table->old_next + MOVE_AHEAD <= table->old_mask)
            fetch_line(bucket_entry(table->old_buckets[table->old_next + MOVE_AHEAD]));
        uint64_t bucket = table->old_buckets[table->old_next++];
        if (bucket > BUCKET_TOMBSTONE)
            bucket_insert(table, bucket_entry(bucket));
    }
    if (table->old_next > table->old_mask) {
        buckets_free(table->old_buckets, table->old_mask + 1);
        table->old_buckets = NULL;
    }
}

/* A new index for what lives now, filled slice by slice: twice the size if the entries ask for it, else only cleaned of tombstones. */
static void index_renew(struct table *table)
{
    if (table->old_buckets != NULL)
        move_slice(table, UINT64_MAX);
    uint64_t size = table->mask + 1;
    if (table->count * 3 >= size)
        size *= 2;
    table->old_buckets = table->buckets;
    table->old_mask = table->mask;
    table->old_next = 0;
    table->buckets = buckets_new(size);
    table->mask = size - 1;
    table->used = 0;
}

void table_maintain(struct table *table)
{
    if (table->old_buckets != NULL)
        move_slice(table, MOVED_PER_SLICE);
}

void table_settle(struct table *table)
{
    if (table->old_buckets != NULL)
        move_slice(table, UINT64_MAX);
}

static struct table_chunk *chunk_add(struct table *table, bool huge)
{
    if (table->chunk_count == table->chunk_capacity) {
        table->chunk_capacity = table->chunk_capacity * 2 + 16;
        table->chunks = memory_resize(table->chunks, table->chunk_capacity * sizeof table->chunks[0]);
    }
    struct table_chunk *chunk = memory_new(sizeof *chunk);
    *chunk = (struct table_chunk){ .entries = TABLE_CHUNK_BYTES / table->entry_bytes, .places = places_new(huge) };
    table->chunks[table->chunk_count++] = chunk;
    return chunk;
}

void table_reserve(struct table *table, uint64_t entries)
{
    uint64_t size = table->mask + 1;
    while (size * 2 <= (entries + 1) * 3)
        size *= 2;
    if (table->count > 0 || size == table->mask + 1)
        return;
    table_settle(table);
    buckets_free(table->buckets, table->mask + 1);
    table->buckets = buckets_new(size);
    table->mask = size - 1;
    table->used = 0;
    for (uint64_t room = 0; room < entries;)
        room += chunk_add(table, true)->entries;
}

uint32_t table_blocks(const struct table *table, struct memory_block *blocks, uint32_t room)
{
    uint32_t count = 0;
    size_t index_bytes = (table->mask + 1) * sizeof(uint64_t);
    for (size_t at = 0; at < index_bytes && index_bytes >= HUGE_PAGE_BYTES && count < room; at += HUGE_PAGE_BYTES)
        blocks[count++] = (struct memory_block){ (char *)table->buckets + at, HUGE_PAGE_BYTES };
    for (uint32_t c = 0; c < table->chunk_count && count < room; c++) {
        size_t bytes = (size_t)table->chunks[c]->entries * table->entry_bytes;
        blocks[count++] = (struct memory_block){ table->chunks[c]->places, bytes };
    }
    return count;
}

/* The free list is threaded through the key's place. */
static struct entry *place_take(struct table *table)
{
    struct entry *entry = table->free_list;
    if (entry != NULL) {
        table->free_list = (struct entry *)(void *)entry->key.pointer;
        return entry;
    }
    while (table->filling < table->chunk_count && table->chunks[table->filling]->used == table->chunks[table->filling]->entries)
        table->filling++;
    struct table_chunk *chunk = table->filling < table->chunk_count ? table->chunks[table->filling] : chunk_add(table, table->chunk_count > 0);
    return table_chunk_entry(table, chunk, chunk->used++);
}

static void key_set(struct table *table, struct entry *entry, const char *key, uint32_t key_bytes)
{
    entry->key_bytes = (uint16_t)key_bytes;
    if (key_bytes <= ENTRY_KEY_INLINED_MAX) {
        memcpy(entry->key.inlined, key, ENTRY_KEY_INLINED_MAX);
        return;
    }
    entry->key.pointer = memory_copy(key, key_bytes);
    table->key_bytes += key_bytes + 24;
}

/* Before a key is looked for that is to be made where there is none. */
static void index_make_room(struct table *table)
{
    if (table->old_buckets != NULL)
        move_slice(table, MOVED_PER_KEY);
    if ((table->used + 1) * 3 >= (table->mask + 1) * 2)
        index_renew(table);
}

/* `end` is the empty bucket at which the search for the key has ended. */
static struct entry *make(struct table *table, const char *key, uint32_t key_bytes, uint64_t hash, uint16_t group, uint64_t *end)
{
    struct entry *entry = place_take(table);
    entry->hash = (uint32_t)(hash >> 32);
    entry->hash_tag = hash_tag(hash);
    entry->group = group;
    entry->dirty_epoch = 0;
    entry->flags = ENTRY_LIVE | ENTRY_REFERENCED;
    key_set(table, entry, key, key_bytes);
    for (uint32_t i = 0; i < table->slots; i++)
        entry->slots[i] = (struct cell){ .tag = CELL_ABSENT };
    if (may_have_tombstones(table)) {
        bucket_insert(table, entry);
    } else {
        *end = bucket_of(entry);
        table->used++;
    }
    table->count++;
    return entry;
}

struct entry *table_find_or_make(struct table *table, const char *key, uint32_t key_bytes, uint64_t hash, uint16_t group, bool *made)
{
    index_make_room(table);
    uint64_t *bucket = probe(table->buckets, table->mask, 0, key, key_bytes, hash), *end = bucket;
    if (*bucket == 0 && table->old_buckets != NULL)
        bucket = probe(table->old_buckets, table->old_mask, table->old_next, key, key_bytes, hash);
    *made = *bucket == 0;
    return *made ? make(table, key, key_bytes, hash, group, end) : bucket_entry(*bucket);
}

static uint64_t entry_hash(const struct entry *entry)
{
    return (uint64_t)entry->hash << 32 | (uint64_t)entry->hash_tag << 16;
}

/*
 * Where the line ends behind a bucket, no probe has to pass over it: it becomes empty, and so do
 * the tombstones before it. Keys that come and go then hardly ever ask for a new index, which
 * would be there twice while it is filled.
 */
static void bucket_empty(struct table *table, uint64_t *bucket)
{
    *bucket = BUCKET_TOMBSTONE;
    if (bucket < table->buckets || bucket > table->buckets + table->mask)
        return; /* of the old index, which is left soon */
    uint64_t at = (uint64_t)(bucket - table->buckets);
    if (table->buckets[(at + 1) & table->mask] != 0)
        return;
    for (; table->buckets[at] == BUCKET_TOMBSTONE; at = (at - 1) & table->mask) {
        table->buckets[at] = 0;
        table->used--;
    }
}

void table_remove(struct table *table, struct entry *entry)
{
    bucket_empty(table, find_bucket(table, entry_key(entry), entry->key_bytes, entry_hash(entry)));
    if (entry->key_bytes > ENTRY_KEY_INLINED_MAX) {
        free(entry->key.pointer);
        table->key_bytes -= entry->key_bytes + 24u;
    }
    entry->flags = 0;
    entry->key.pointer = (char *)(void *)table->free_list;
    table->free_list = entry;
    table->count--;
}

static inline bool bucket_has_tag(uint64_t bucket, uint16_t tag)
{
    return bucket >> 48 == tag && bucket > BUCKET_TOMBSTONE;
}

/*
 * The first bucket in line that may hold the key, by its tag alone; 0 if the line ends before.
 * Most keys lie in their own bucket or in the one behind it, but which of the two nobody can
 * foretell: the choice between them is no branch.
 */
static inline uint64_t candidate(const struct table *table, uint64_t hash)
{
    uint16_t tag = hash_tag(hash);
    uint64_t own = table->buckets[(hash >> 32) & table->mask], next = table->buckets[((hash >> 32) + 1) & table->mask];
    uint64_t either = next ^ ((own ^ next) & -(uint64_t)(own >> 48 == tag));
    if (bucket_has_tag(either, tag))
        return either;
    for (uint64_t at = (hash >> 32) & table->mask;; at = (at + 1) & table->mask) {
        uint64_t bucket = table->buckets[at];
        if (bucket == 0 || bucket_has_tag(bucket, tag))
            return bucket;
    }
}

void table_prefetch_bucket(const struct table *table, uint64_t hash)
{
    fetch_line(&table->buckets[(hash >> 32) & table->mask]);
    if (table->old_buckets != NULL)
        fetch_line(&table->old_buckets[(hash >> 32) & table->old_mask]);
}

static inline struct entry *candidate_fetched(const struct table *table, uint64_t hash)
{
    struct entry *entry = bucket_entry(candidate(table, hash));
    fetch_line(entry);
    fetch_line((char *)entry + table->entry_bytes - 1); /* of those that fit one line, half lie across two */
    return entry;
}

struct entry *table_prefetch_entry(const struct table *table, uint64_t hash)
{
    return candidate_fetched(table, hash);
}

static inline bool is_entry_of(const struct entry *entry, const struct batch_key *key, const char *bytes)
{
    return entry->hash == (uint32_t)(key->hash >> 32) && entry_has_key(entry, bytes, key->bytes);
}

/* The entry of a key, whose candidate is here; NULL if it has none. */
static inline struct entry *found(struct table *table, struct entry *entry, const struct batch_key *key, const char *bytes)
{
    if (entry == NULL && table->old_buckets == NULL)
        return NULL;
    if (entry == NULL || !is_entry_of(entry, key, bytes))
        entry = table_find(table, bytes, key->bytes, key->hash);
    if (entry != NULL && !(entry->flags & ENTRY_REFERENCED))
        entry->flags |= ENTRY_REFERENCED;
    return entry;
}

/*
 * The bucket's line is on its way before it is read, the entry's before its key is
 * compared: a key is at one of three stages, each some keys behind the one before.
 */
int32_t table_find_batch(struct table *table, const struct batch *batch, struct entry **entries, int32_t *missing)
{
    const struct batch_key *keys = batch->keys;
    int32_t count = batch->count, missing_count = 0;
    for (int32_t i = 0; i < count && i < 2 * FETCH_AHEAD; i++)
        fetch_line(&table->buckets[(keys[i].hash >> 32) & table->mask]);
    for (int32_t i = 0; i < count && i < FETCH_AHEAD; i++)
        entries[i] = candidate_fetched(table, keys[i].hash);
    for (int32_t i = 0; i < count; i++) {
        if (i + 2 * FETCH_AHEAD < count)
            fetch_line(&table->buckets[(keys[i + 2 * FETCH_AHEAD].hash >> 32) & table->mask]);
        if (i + FETCH_AHEAD < count)
            entries[i + FETCH_AHEAD] = candidate_fetched(table, keys[i + FETCH_AHEAD].hash);
        entries[i] = found(table, entries[i], &keys[i], batch->arena.bytes + keys[i].offset);
        if (entries[i] == NULL)
            missing[missing_count++] = i;
    }
    return missing_count;
}

struct entry *table_hand_next(struct table *table)
{
    while (table->hand_chunk < table->chunk_count) {
        struct table_chunk *chunk = table->chunks[table->hand_chunk];
        if (table->hand_index < chunk->used)
            return table_chunk_entry(table, chunk, table->hand_index++);
        table->hand_chunk++;
        table->hand_index = 0;
    }
    table->hand_chunk = 0;
    table->hand_index = 0;
    return NULL;
}

struct entry *table_next(const struct table *table, struct table_cursor *cursor)
{
    while (cursor->chunk < table->chunk_count) {
        struct table_chunk *chunk = table->chunks[cursor->chunk];
        while (cursor->index < chunk->used) {
            struct entry *entry = table_chunk_entry(table, chunk, cursor->index++);
            if (entry->flags & ENTRY_LIVE)
                return entry;
        }
        cursor->chunk++;
        cursor->index = 0;
    }
    return NULL;
}
