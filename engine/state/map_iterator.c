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

struct map_item { struct slice key; struct cell value; };

struct map_iterator {
    struct arena keys;       /* grows only while entries are collected: items[].key points into it */
    struct arena arena;      /* of the values, and of the keys handed out */
    struct map_item *items;
    uint32_t count, next;
    int status;
    struct arena pair;       /* of the key handed out last */
};

static int item_compare(const void *a, const void *b)
{
    return slice_compare(((const struct map_item *)a)->key, ((const struct map_item *)b)->key);
}

/* Key slices hold offsets until all keys are there. */
static void item_add(struct map_iterator *iterator, const struct entry *owner, struct entry *child)
{
    size_t key_bytes = (size_t)child->key_bytes - owner->key_bytes;
    struct map_item *item = &iterator->items[iterator->count++];
    uint64_t key = arena_append(&iterator->keys, entry_key(child) + owner->key_bytes, key_bytes);
    item->key = slice_of((const char *)(uintptr_t)key, key_bytes);
    const char *bytes;
    struct cell value = slot_cell(&child->slots[0], &bytes);
    item->value = cell_copy(value, bytes, &iterator->arena);
}

static uint32_t count_entries(const struct entry *owner, uint32_t slot)
{
    uint32_t count = 0;
    for (struct entry *child = map_first(owner, slot); child != NULL; child = map_link_of(child)->next)
        count += child->slots[0].tag != CELL_ABSENT;
    return count;
}

static int collect(struct map_iterator *iterator, const struct entry *owner, uint32_t slot)
{
    uint32_t count = count_entries(owner, slot);
    if (count != map_state_count(owner, slot))
        return error_set(ERROR_CORRUPT, "state: a map of %u entries says it has %u", count, map_state_count(owner, slot));
    iterator->items = memory_new((count + (size_t)1) * sizeof iterator->items[0]);
    for (struct entry *child = map_first(owner, slot); child != NULL; child = map_link_of(child)->next) {
        if (child->slots[0].tag != CELL_ABSENT)
            item_add(iterator, owner, child);
    }
    for (uint32_t i = 0; i < iterator->count; i++)
        iterator->items[i].key.data = arena_at(&iterator->keys, (uintptr_t)iterator->items[i].key.data);
    qsort(iterator->items, iterator->count, sizeof iterator->items[0], item_compare);
    return 0;
}

struct map_iterator *map_state_iterate(struct keyed_state *state, struct entry *owner, uint32_t slot)
{
    struct map_iterator *iterator = memory_new_zeroed(1, sizeof *iterator);
    iterator->status = map_load_all(state, owner, slot);
    if (iterator->status == 0)
        iterator->status = collect(iterator, owner, slot);
    return iterator;
}

int map_iterator_next(struct map_iterator *iterator, struct cell *key, struct cell *value, const char **bytes)
{
    if (iterator->status < 0)
        return iterator->status;
    if (iterator->next == iterator->count)
        return 0;
    const struct map_item *item = &iterator->items[iterator->next++];
    struct slice in = item->key;
    arena_clear(&iterator->pair);
    int status = msgpack_read_cell(&in, &iterator->pair, key);
    if (status < 0)
        return status;
    *key = cell_copy(*key, iterator->pair.bytes, &iterator->arena);
    *value = item->value;
    *bytes = iterator->arena.bytes;
    return 1;
}

size_t map_iterator_bytes(const struct map_iterator *iterator)
{
    return sizeof *iterator + iterator->count * sizeof iterator->items[0] + iterator->keys.capacity + iterator->arena.capacity;
}

void map_iterator_free(struct map_iterator *iterator)
{
    arena_deinit(&iterator->keys);
    arena_deinit(&iterator->arena);
    arena_deinit(&iterator->pair);
    free(iterator->items);
    free(iterator);
}
