/*
 * An iteration copies the map's entries at its start, sorted by their keys'
 * bytes: that is the whole of S52, and what the callback does to the map in the
 * meantime cannot matter. Memory is that of the one map.
 */
#include "state/map_state.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/payload.h"

#include <stdlib.h>

#define ITEMS_MIN 16

struct map_item { uint64_t key_first; struct slice key; struct cell value; };

struct map_iterator {
    struct arena keys;       /* grows only while entries are collected: items[].key points into it */
    struct arena arena;      /* of the values, and behind them of the key that was handed out last */
    size_t values_bytes;
    struct map_item *items;
    uint32_t capacity, count, next;
};

static int item_compare(const void *a, const void *b)
{
    const struct map_item *left = a, *right = b;
    if (left->key_first != right->key_first)
        return left->key_first < right->key_first ? -1 : 1;
    return slice_compare(left->key, right->key);
}

static struct map_item *item_new(struct map_iterator *iterator)
{
    if (iterator->count == iterator->capacity) {
        iterator->capacity = iterator->capacity * 2 + ITEMS_MIN;
        iterator->items = memory_resize(iterator->items, iterator->capacity * sizeof iterator->items[0]);
    }
    return &iterator->items[iterator->count++];
}

/* Key slices hold offsets until all keys are there. */
static void item_add(struct map_iterator *iterator, const struct entry *owner, struct entry *child)
{
    struct slice key = slice_of(entry_key(child) + owner->key_bytes, (size_t)child->key_bytes - owner->key_bytes);
    struct map_item *item = item_new(iterator);
    item->key_first = slice_first(key);
    item->key = slice_of((const char *)(uintptr_t)arena_append(&iterator->keys, key.data, key.bytes), key.bytes);
    const char *bytes;
    struct cell value = slot_cell(&child->slots[0], &bytes);
    item->value = cell_copy(value, bytes, &iterator->arena);
}

static bool is_descending(const struct map_item *items, uint32_t count)
{
    uint32_t i = 1;
    while (i < count && item_compare(&items[i - 1], &items[i]) > 0)
        i++;
    return i >= count;
}

static void reverse(struct map_item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count / 2; i++) {
        struct map_item item = items[i];
        items[i] = items[count - 1 - i];
        items[count - 1 - i] = item;
    }
}

/* The newest entry is the first of a map: where keys only grow, as times do, they come in descending order. */
static void sort(struct map_iterator *iterator)
{
    for (uint32_t i = 0; i < iterator->count; i++)
        iterator->items[i].key.data = arena_at(&iterator->keys, (uintptr_t)iterator->items[i].key.data);
    if (is_descending(iterator->items, iterator->count))
        reverse(iterator->items, iterator->count);
    else
        qsort(iterator->items, iterator->count, sizeof iterator->items[0], item_compare);
}

static int collect(struct map_iterator *iterator, const struct entry *owner, uint32_t slot)
{
    for (struct entry *child = map_first(owner, slot); child != NULL; child = map_link_of(child)->next) {
        if (child->slots[0].tag != CELL_ABSENT)
            item_add(iterator, owner, child);
    }
    if (iterator->count != map_state_count(owner, slot))
        return error_set(ERROR_CORRUPT, "state: a map of %u entries says it has %u", iterator->count, map_state_count(owner, slot));
    return 0;
}

struct map_iterator *map_iterator_new(void)
{
    return memory_new_zeroed(1, sizeof(struct map_iterator));
}

int map_state_iterate(struct keyed_state *state, struct entry *owner, uint32_t slot, struct map_iterator *iterator)
{
    iterator->count = iterator->next = 0;
    arena_clear(&iterator->keys);
    arena_clear(&iterator->arena);
    int status = map_load_all(state, owner, slot);
    if (status == 0)
        status = collect(iterator, owner, slot);
    if (status < 0)
        return status;
    sort(iterator);
    iterator->values_bytes = iterator->arena.used;
    return 0;
}

int map_iterator_next(struct map_iterator *iterator, struct cell *key, struct cell *value, const char **bytes)
{
    if (iterator->next == iterator->count)
        return 0;
    const struct map_item *item = &iterator->items[iterator->next++];
    struct slice in = item->key;
    iterator->arena.used = iterator->values_bytes;
    int status = msgpack_read_cell(&in, &iterator->arena, key);
    if (status < 0)
        return status;
    *value = item->value;
    *bytes = iterator->arena.bytes;
    return 1;
}

size_t map_iterator_bytes(const struct map_iterator *iterator)
{
    return sizeof *iterator + iterator->capacity * sizeof iterator->items[0] + iterator->keys.capacity + iterator->arena.capacity;
}

void map_iterator_free(struct map_iterator *iterator)
{
    arena_deinit(&iterator->keys);
    arena_deinit(&iterator->arena);
    free(iterator->items);
    free(iterator);
}
