/*
 * Rows that come in the order of their entries: each is looked for a few entries
 * behind the one before, and the index is asked only for strays. How well that went
 * of late tells whether it is worth while.
 *
 * Thread   the worker that owns the table.
 */
#pragma once

#include "state/table.h"

#include <string.h>

#define TRAIL_TRUST_MAX 64
#define TRAIL_TRUST_SURE 16
#define TRAIL_TRUST_LOST 32
#define TRAIL_LOOKED_MAX 16
#define TRAIL_GLANCED 4 /* a row of each second entry is among them fifteen times in sixteen */

struct row_trail {
    struct table_cursor next;
    uint32_t trust;            /* rows of late that were where they were expected, less those that were not */
    uint32_t strays;           /* rows since a cursor was put down that was of no use */
    bool laid;
    bool fresh;                /* the row that the index was asked for last had no entry yet: those of a base never have */
};

static inline bool row_trail_is_sure(const struct row_trail *trail)
{
    return trail->trust >= TRAIL_TRUST_SURE;
}

/* Among the few entries that follow the cursor, which then stands behind it; NULL if it is not there. */
static inline struct entry *row_trail_search(struct table_cursor *cursor, const struct table *table, const char *key, uint32_t key_bytes)
{
    struct table_cursor at = *cursor;
    for (uint32_t looked = 0; looked < TRAIL_LOOKED_MAX && at.chunk < table->chunk_count; looked++) {
        const struct table_chunk *chunk = table->chunks[at.chunk];
        if (at.index >= chunk->used) {
            at = (struct table_cursor){ .chunk = at.chunk + 1 };
            continue;
        }
        struct entry *entry = table_chunk_entry(table, chunk, at.index++);
        if ((entry->flags & ENTRY_LIVE) && entry_has_key(entry, key, key_bytes)) {
            *cursor = at;
            return entry;
        }
    }
    return NULL;
}

/*
 * Most often it is one of the next few, and which of them nobody can foretell: the words that
 * short keys begin with are compared without a branch for each. 0 places, if it is none.
 */
static inline uint32_t row_trail_glance(const struct table *table, const struct entry *next, const char *key)
{
    const char *place = next->key.inlined;
    uint64_t wanted, word;
    memcpy(&wanted, key, sizeof wanted);
    uint32_t same = 0;
    for (uint32_t i = 0; i < TRAIL_GLANCED; i++) {
        memcpy(&word, place + (size_t)i * table->entry_bytes, sizeof word);
        same |= (uint32_t)(word == wanted) << i;
    }
    return same == 0 ? 0 : (uint32_t)__builtin_ctz(same);
}

/* row_trail_search() by way of a glance. */
static inline struct entry *row_trail_find(struct table_cursor *cursor, const struct table *table, const char *key, uint32_t key_bytes)
{
    const struct table_chunk *chunk = cursor->chunk < table->chunk_count ? table->chunks[cursor->chunk] : NULL;
    if (chunk == NULL || cursor->index + TRAIL_GLANCED > chunk->used || key_bytes > ENTRY_KEY_INLINED_MAX)
        return row_trail_search(cursor, table, key, key_bytes);
    uint32_t index = cursor->index + row_trail_glance(table, table_chunk_entry(table, chunk, cursor->index), key);
    struct entry *entry = table_chunk_entry(table, chunk, index);
    if (!(entry->flags & ENTRY_LIVE) || !entry_has_key(entry, key, key_bytes))
        return row_trail_search(cursor, table, key, key_bytes);
    cursor->index = index + 1;
    return entry;
}

/* The entry of a key (padded, as for table_find()), if there is a trail and it is there. */
static inline struct entry *row_trail_follow(struct row_trail *trail, const struct table *table, const char *key, uint32_t key_bytes)
{
    if (!trail->laid)
        return NULL;
    struct entry *entry = row_trail_find(&trail->next, table, key, key_bytes);
    if (entry == NULL) {
        trail->laid = false;
        trail->strays = trail->trust == 0 ? 1 : 0;
        trail->trust -= trail->trust < TRAIL_TRUST_LOST ? trail->trust : TRAIL_TRUST_LOST;
    } else if (trail->trust < TRAIL_TRUST_MAX) {
        trail->trust++;
    }
    return entry;
}

/* The index knew a stray: the next row may follow it. */
void row_trail_lay(struct row_trail *trail, const struct table *table, const struct entry *entry);
