/*
 * One row of keyed state in the cache: a key and its slots. Lua reads and
 * writes scalar slots through FFI, so the layout is part of the cdef.
 *
 * A slot is a cell whose bytes, if it has any, lie in a payload of its own
 * (state/payload.h): offsets count from there.
 *
 * Thread   the worker that owns the table; a walker may read it, by the rules of state/walker.h.
 */
#pragma once

#include "codec/cell.h"

#include <stdbool.h>
#include <string.h>

/* <cdef> */
struct entry {
    uint32_t hash;           /* bits 32..63 of the key's hash: its place in the index */
    uint16_t hash_tag;       /* bits 16..31: kept in the index beside the pointer */
    uint16_t group;          /* key group of the user's key */
    union { char inlined[16]; char *pointer; } key;   /* inlined (zero-padded) up to 16 bytes */
    uint32_t dirty_epoch;    /* the epoch of the last write; equal to the state's epoch: on its dirty list; 0: its row is written */
    uint16_t key_bytes;
    uint16_t flags;
    struct cell slots[1];    /* as many as the table says */
};
/* </cdef> */

#define ENTRY_KEY_INLINED_MAX 16
#define ENTRY_KEY_BYTES_MAX 60000 /* as KEY_BYTES_MAX of codec/batch_key.h */

enum entry_flag {
    ENTRY_LIVE = 1,         /* in use (a free place of a chunk has no flag) */
    ENTRY_UNSTORED = 4,     /* newer than its row in the store, or it has none there */
    ENTRY_DURABLE = 8,      /* a delta, a base or the store may hold a row of it: its removal needs a tombstone */
    ENTRY_REFERENCED = 16,  /* used since the clock hand passed */
    ENTRY_LINKED = 32,      /* a map entry: in the chain of its map's head, */
    ENTRY_ORDERED = 512,    /* or, as all others of that map, in its tree (state/map_tree.h) */
    ENTRY_ITERATED = 1024,  /* the map was iterated over when this was the first of its chain */
    ENTRY_TIMED = 64,       /* a window's pane: its own timers were registered since it is in the cache (set by Lua) */
    ENTRY_SUMMED = 128,     /* windows' sums: they have the newest slice, */
    ENTRY_SUMMED_OLDER = 256, /* all others too that are before it (both set by who keeps sums, unset in what is loaded) */
};

/* Kinds of slot beyond the tags of codec/cell.h. */
enum slot_tag {
    SLOT_MAP = 16,        /* head of a map all of whose entries are cached: `length` entries, `payload` the first cached one, or the tree's root */
    SLOT_MAP_PARTIAL = 17, /* the same, with rows in the store that are not cached */
    SLOT_LIST = 18,       /* head of a list: `length` elements in `natural` chunks */
};

static inline const char *entry_key(const struct entry *entry)
{
    return entry->key_bytes <= ENTRY_KEY_INLINED_MAX ? entry->key.inlined : entry->key.pointer;
}

/* Two 8-byte comparisons for a short key: both sides are zero-padded to 16 bytes. */
static inline bool entry_has_key(const struct entry *entry, const char *key, uint32_t key_bytes)
{
    if (entry->key_bytes != key_bytes)
        return false;
    if (key_bytes > ENTRY_KEY_INLINED_MAX)
        return memcmp(entry->key.pointer, key, key_bytes) == 0;
    uint64_t a[2], b[2];
    memcpy(a, entry->key.inlined, 16);
    memcpy(b, key, 16);
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
}
