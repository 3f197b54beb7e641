/*
 * A small map is copied at the start of an iteration, sorted by the keys' bytes: that
 * is the whole of S52, and what the callback does to the map meanwhile cannot matter.
 *
 * Of a large one, which may be asked for its first entry again and again, nothing is
 * copied: the second time it becomes a tree (map_tree.h), and an iteration is a walk
 * over that. An entry that the walk has yet to come to is kept as it was before it is
 * changed for the first time. Where that happens more than now and then, all the rest
 * is copied after all.
 */
#include "state/map_state.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/map_tree.h"
#include "state/payload.h"

#include <assert.h>
#include <stdlib.h>

#define ITEMS_MIN 16
#define LARGE_MIN 64
#define KEPT_MAX 64
#define KEPT_PART 32 /* of the map */

/* Absent: there was none at the start. Entries stay where they are as long as an iteration. */
struct map_item { uint64_t key_first; struct entry *child; struct cell value; };

struct map_iterator {
    struct keyed_state *state;   /* NULL: it is over */
    struct map_iterator *next_open;
    struct entry *owner;
    uint32_t slot;
    int32_t record;
    bool walks;                  /* over the tree, and the items are what was kept; else these are all */
    struct map_path path;
    bool path_found;
    const struct entry *last;    /* whose key was handed out last */
    struct map_item *items;
    uint32_t capacity, count, next;
    struct arena arena;          /* of the items' values, and behind them of what was handed out last */
    size_t values_bytes;
};

/* ---- Items ---- */

static int item_compare(const void *a, const void *b)
{
    const struct map_item *left = a, *right = b;
    if (left->key_first != right->key_first)
        return left->key_first < right->key_first ? -1 : 1;
    return map_entry_compare(left->child, right->child);
}

/* Room for one at `place`. */
static struct map_item *item_new(struct map_iterator *iterator, uint32_t place)
{
    if (iterator->count == iterator->capacity) {
        iterator->capacity = iterator->capacity * 2 + ITEMS_MIN;
        iterator->items = memory_resize(iterator->items, iterator->capacity * sizeof iterator->items[0]);
    }
    struct map_item *item = &iterator->items[place];
    memmove(item + 1, item, (iterator->count++ - place) * sizeof *item);
    return item;
}

static struct slice key_of(const struct map_iterator *iterator, const struct entry *child)
{
    uint32_t owners = iterator->owner->key_bytes;
    return slice_of(entry_key(child) + owners, (size_t)child->key_bytes - owners);
}

static struct cell value_copy(struct map_iterator *iterator, const struct entry *child)
{
    const char *bytes;
    struct cell value = slot_cell(&child->slots[0], &bytes);
    return cell_copy(value, bytes, &iterator->arena);
}

static void item_add(struct map_iterator *iterator, uint32_t place, struct entry *child)
{
    *item_new(iterator, place) = (struct map_item){ slice_first(key_of(iterator, child)), child, value_copy(iterator, child) };
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
static void sort(struct map_item *items, uint32_t count)
{
    if (is_descending(items, count))
        reverse(items, count);
    else
        qsort(items, count, sizeof *items, item_compare);
}

/* 1: there was an iteration before, over some of the same entries. */
static int copy_chain(struct map_iterator *iterator)
{
    bool again = false;
    struct entry *first = map_first(iterator->owner, iterator->slot);
    for (struct entry *child = first; child != NULL; child = map_link_of(child)->next) {
        again |= (child->flags & ENTRY_ITERATED) != 0;
        item_add(iterator, iterator->count, child);
    }
    if (first != NULL)
        first->flags |= ENTRY_ITERATED;
    sort(iterator->items, iterator->count);
    uint32_t count = map_state_count(iterator->owner, iterator->slot);
    return iterator->count == count ? again : error_set(ERROR_CORRUPT, "state: a map of %u entries says it has %u", iterator->count, count);
}

/* ---- Walks ---- */

/* NULL where a map is no tree. */
static struct entry *root_of(const struct entry *owner, uint32_t slot)
{
    struct entry *first = map_first(owner, slot);
    return first != NULL && (first->flags & ENTRY_ORDERED) ? first : NULL;
}

/* The entry that the walk comes to next. Where there is a chain by now, the tree has been emptied, and the walk comes to nothing that is new. */
static struct entry *walk_entry(struct map_iterator *iterator)
{
    if (!iterator->walks)
        return NULL;
    if (!iterator->path_found)
        map_path_seek(&iterator->path, root_of(iterator->owner, iterator->slot), iterator->last);
    iterator->path_found = true;
    return map_path_entry(&iterator->path);
}

/* Of the items [place, kept), the first whose key is not before this one. */
static uint32_t kept_place(const struct map_iterator *iterator, uint32_t place, uint32_t kept, const struct entry *child)
{
    while (place < kept) {
        uint32_t middle = place + (kept - place) / 2;
        if (map_entry_compare(iterator->items[middle].child, child) < 0)
            place = middle + 1;
        else
            kept = middle;
    }
    return place;
}

static bool is_kept(const struct map_iterator *iterator, uint32_t place, uint32_t kept, const struct entry *child)
{
    return place < kept && iterator->items[place].child == child;
}

/* Behind what was kept, and in order with that. */
static void copy_rest(struct map_iterator *iterator)
{
    uint32_t kept = iterator->count, place = iterator->next;
    for (struct entry *child; (child = walk_entry(iterator)) != NULL; map_path_advance(&iterator->path)) {
        place = kept_place(iterator, place, kept, child);
        if (!is_kept(iterator, place, kept, child))
            item_add(iterator, iterator->count, child);
    }
    sort(iterator->items + iterator->next, iterator->count - iterator->next);
    iterator->walks = false;
}

static bool is_past(const struct map_iterator *iterator, const struct entry *child)
{
    return iterator->last != NULL && map_entry_compare(child, iterator->last) <= 0;
}

static void keep(struct map_iterator *iterator, struct entry *child)
{
    if (is_past(iterator, child))
        return;
    uint32_t place = kept_place(iterator, iterator->next, iterator->count, child);
    if (is_kept(iterator, place, iterator->count, child))
        return;
    iterator->arena.used = iterator->values_bytes;
    if (iterator->count - iterator->next < KEPT_MAX + map_state_count(iterator->owner, iterator->slot) / KEPT_PART)
        item_add(iterator, place, child);
    else
        copy_rest(iterator);
    iterator->values_bytes = iterator->arena.used;
}

void map_iterations_keep(struct keyed_state *state, const struct entry *owner, uint32_t slot, struct entry *child)
{
    for (struct map_iterator *iterator = state->iterations; iterator != NULL; iterator = iterator->next_open) {
        if (iterator->walks && iterator->owner == owner && iterator->slot == slot)
            keep(iterator, child);
    }
}

/* A path holds only what is to come. That has the same place in it when something before it comes or goes. */
void map_iterations_lose(struct keyed_state *state, const struct entry *owner, uint32_t slot, const struct entry *child)
{
    for (struct map_iterator *iterator = state->iterations; iterator != NULL; iterator = iterator->next_open) {
        if (iterator->walks && iterator->owner == owner && iterator->slot == slot && !is_past(iterator, child))
            iterator->path_found = false;
    }
}

/* ---- Beginning and end ---- */

static void end(struct map_iterator *iterator)
{
    struct map_iterator **open = &iterator->state->iterations;
    while (*open != iterator)
        open = &(*open)->next_open;
    *open = iterator->next_open;
    iterator->state->iterations_open--;
    iterator->state = NULL;
}

void map_iterations_end(struct keyed_state *state)
{
    while (state->iterations != NULL)
        end(state->iterations);
}

int map_iterations_open(const struct keyed_state *state)
{
    return state->iterations_open;
}

/* Those of the records before `record`. */
static void end_older(struct keyed_state *state, int32_t record)
{
    for (struct map_iterator *iterator = state->iterations, *next; iterator != NULL; iterator = next) {
        next = iterator->next_open;
        if (iterator->record != record)
            end(iterator);
    }
}

struct map_iterator *map_iterator_new(void)
{
    return memory_new_zeroed(1, sizeof(struct map_iterator));
}

static void begin(struct map_iterator *iterator, struct keyed_state *state, struct entry *owner, uint32_t slot, int32_t record)
{
    iterator->state = state;
    iterator->next_open = state->iterations;
    state->iterations = iterator;
    state->iterations_open++;
    iterator->owner = owner;
    iterator->slot = slot;
    iterator->record = record;
    iterator->path_found = false;
    iterator->last = NULL;
    iterator->count = iterator->next = 0;
    arena_clear(&iterator->arena);
}

/* Of the chain whose entries are the items. It stays one until the map is empty. */
static void make_tree(struct map_iterator *iterator)
{
    iterator->path.count = 0;
    for (uint32_t i = 0; i < iterator->count; i++) {
        map_tree_append(&iterator->path, iterator->items[i].child);
        iterator->items[i].child->flags |= ENTRY_ORDERED;
    }
    iterator->owner->slots[iterator->slot].payload = (char *)iterator->path.entries[0];
    iterator->count = 0;
    arena_clear(&iterator->arena);
    iterator->walks = true;
}

int map_state_iterate(struct keyed_state *state, struct entry *owner, uint32_t slot, int32_t record, struct map_iterator *iterator)
{
    assert(iterator->state == NULL);
    end_older(state, record);
    int status = map_load_all(state, owner, slot);
    if (status < 0)
        return status;
    begin(iterator, state, owner, slot, record);
    iterator->walks = root_of(owner, slot) != NULL;
    if (!iterator->walks)
        status = copy_chain(iterator);
    if (status > 0 && iterator->count >= LARGE_MIN)
        make_tree(iterator);
    iterator->values_bytes = iterator->arena.used;
    return status < 0 ? status : map_iterations_open(state);
}

/* The value of what comes next, as it was at the start, and its key in `last`; false at the end. */
static bool advance(struct map_iterator *iterator, struct cell *value)
{
    const struct map_item *item = iterator->next < iterator->count ? &iterator->items[iterator->next] : NULL;
    struct entry *child = walk_entry(iterator);
    if (item == NULL && child == NULL)
        return false;
    int order = item == NULL ? 1 : child == NULL ? -1 : map_entry_compare(item->child, child);
    if (order >= 0)
        map_path_advance(&iterator->path);
    if (order <= 0)
        iterator->next++;
    iterator->last = order <= 0 ? item->child : child;
    *value = order <= 0 ? item->value : value_copy(iterator, child);
    return true;
}

int map_iterator_next(struct map_iterator *iterator, int32_t record, struct cell *key, struct cell *value, const char **bytes)
{
    if (iterator->state == NULL || iterator->record != record)
        return error_set(ERROR_ARGUMENT, "an iteration over a map ends with the callback that began it");
    iterator->arena.used = iterator->values_bytes;
    do {
        if (!advance(iterator, value)) {
            end(iterator);
            return 0;
        }
    } while (value->tag == CELL_ABSENT);
    struct slice in = key_of(iterator, iterator->last);
    int status = msgpack_read_cell(&in, &iterator->arena, key);
    *bytes = iterator->arena.bytes;
    return status < 0 ? status : 1;
}

size_t map_iterator_bytes(const struct map_iterator *iterator)
{
    return sizeof *iterator + iterator->capacity * sizeof iterator->items[0] + iterator->path.capacity * sizeof(struct entry *) + iterator->arena.capacity;
}

void map_iterator_free(struct map_iterator *iterator)
{
    if (iterator->state != NULL)
        end(iterator);
    map_path_deinit(&iterator->path);
    arena_deinit(&iterator->arena);
    free(iterator->items);
    free(iterator);
}
