/*
 * One entry of a log of timers: flags, key and namespace, in whole words of 8 bytes. There
 * may be tens of millions of them, so a short key takes one word, or two; what can be told
 * from the key, its hash, is not kept. The padding is zero: entries are compared as words.
 *
 *   short   flags (1) · length of the key (1, not 255) · of the namespace (1) · key · namespace
 *   long    flags (1) · 255 (1) · 0 (1) · length of the key (2) · of the namespace (2) · key · namespace
 *
 * Owner    the log. Thread: the worker.
 */
#pragma once

#include "base/hash.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct timer_item {
    uint8_t flags;
    uint8_t key_bytes, space_bytes;
    char bytes[];
};

enum item_flag {
    ITEM_DELETE = 1,     /* takes back what is registered before it */
    ITEM_DURABLE = 2,    /* a delta, a base or the store may hold a row of it; of a deletion: its tombstone is written */
    ITEM_STORED = 4,     /* the store holds a row of it */
    ITEM_DEAD = 8,       /* counts no more */
    ITEM_KILLED = 16,    /* only while a log is cleaned: deleted, and what is written of it is to be taken back */
};

#define ITEM_HEAD_BYTES 3
#define ITEM_LONG 255
#define ITEM_LONG_HEAD_BYTES (ITEM_HEAD_BYTES + 2 * sizeof(uint16_t))

/* An entry that is about to be written into a log. `fresh`: the timer is not in it. */
struct timer_entry { int64_t time; uint64_t hash; struct slice key, space; uint8_t flags; bool fresh; };

/* memcpy() of what is nearly always 1 to 16 bytes, without a call. */
static inline void timers_copy(char *to, const char *from, size_t bytes)
{
    uint64_t front, back;
    uint32_t front4, back4;
    if (bytes >= 8 && bytes <= 16) {
        memcpy(&front, from, 8);
        memcpy(&back, from + bytes - 8, 8);
        memcpy(to, &front, 8);
        memcpy(to + bytes - 8, &back, 8);
    } else if (bytes >= 4 && bytes < 8) {
        memcpy(&front4, from, 4);
        memcpy(&back4, from + bytes - 4, 4);
        memcpy(to, &front4, 4);
        memcpy(to + bytes - 4, &back4, 4);
    } else if (bytes > 3) {
        memcpy(to, from, bytes);
    } else {
        for (size_t i = 0; i < bytes; i++)
            to[i] = from[i];
    }
}

static inline uint32_t item_long_bytes(const struct timer_item *item, uint32_t which)
{
    uint16_t bytes;
    memcpy(&bytes, item->bytes + which * sizeof bytes, sizeof bytes);
    return bytes;
}

static inline struct slice timer_item_key(const struct timer_item *item)
{
    if (item->key_bytes != ITEM_LONG)
        return slice_of(item->bytes, item->key_bytes);
    return slice_of((const char *)item + ITEM_LONG_HEAD_BYTES, item_long_bytes(item, 0));
}

static inline struct slice timer_item_space(const struct timer_item *item)
{
    struct slice key = timer_item_key(item);
    return slice_of(key.data + key.bytes, item->key_bytes != ITEM_LONG ? item->space_bytes : item_long_bytes(item, 1));
}

static inline uint64_t timer_item_hash(const struct timer_item *item)
{
    struct slice key = timer_item_key(item);
    return hash_bytes(key.data, key.bytes);
}

static inline uint32_t timer_item_words(const struct timer_item *item)
{
    if (item->key_bytes != ITEM_LONG)
        return (ITEM_HEAD_BYTES + (uint32_t)item->key_bytes + item->space_bytes + 7) / 8;
    return ((uint32_t)ITEM_LONG_HEAD_BYTES + item_long_bytes(item, 0) + item_long_bytes(item, 1) + 7) / 8;
}

static inline bool timer_entry_is_long(const struct timer_entry *entry)
{
    return entry->key.bytes >= ITEM_LONG || entry->space.bytes > UINT8_MAX;
}

static inline uint32_t timer_entry_words(const struct timer_entry *entry)
{
    size_t head = timer_entry_is_long(entry) ? ITEM_LONG_HEAD_BYTES : ITEM_HEAD_BYTES;
    return (uint32_t)((head + entry->key.bytes + entry->space.bytes + 7) / 8);
}

/* `count` words, as timer_entry_words() says. */
static inline struct timer_item *timer_item_write(uint64_t *words, const struct timer_entry *entry, uint32_t count)
{
    struct timer_item *item = (struct timer_item *)(void *)words;
    char *key = item->bytes;
    words[count - 1] = 0; /* the padding; then what lies before it */
    item->flags = entry->flags;
    if (timer_entry_is_long(entry)) {
        uint16_t lengths[2] = { (uint16_t)entry->key.bytes, (uint16_t)entry->space.bytes };
        item->key_bytes = ITEM_LONG;
        item->space_bytes = 0;
        memcpy(item->bytes, lengths, sizeof lengths);
        key = (char *)item + ITEM_LONG_HEAD_BYTES;
    } else {
        item->key_bytes = (uint8_t)entry->key.bytes;
        item->space_bytes = (uint8_t)entry->space.bytes;
    }
    timers_copy(key, entry->key.data, entry->key.bytes);
    timers_copy(key + entry->key.bytes, entry->space.data, entry->space.bytes);
    return item;
}

/* Is it the same timer, whatever its flags? */
static inline bool timer_item_same(const struct timer_item *a, const struct timer_item *b)
{
    const char *left = (const char *)a, *right = (const char *)b;
    uint32_t words = timer_item_words(a);
    if (words != timer_item_words(b) || memcmp(left + 1, right + 1, 7) != 0)
        return false;
    return words == 1 || memcmp(left + 8, right + 8, (words - 1) * sizeof(uint64_t)) == 0;
}
