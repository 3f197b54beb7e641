#include "state/map_state.h"

#include "base/error.h"
#include "base/hash.h"
#include "codec/key.h"
#include "codec/msgpack.h"
#include "state/keyed_state_internal.h"
#include "state/map_tree.h"
#include "state/payload.h"

#include <assert.h>

static int slot_of_column(const struct keyed_state *state, uint32_t column)
{
    for (uint32_t i = 0; i < state->config.states; i++) {
        if (state->child_column[i] == column)
            return (int)i;
    }
    return -1;
}

void map_link_child(struct keyed_state *state, struct entry *owner, uint32_t slot, struct entry *child)
{
    struct cell *head = &owner->slots[slot];
    struct entry *first = (struct entry *)(void *)head->payload;
    child->flags |= ENTRY_LINKED;
    if (first != NULL && (first->flags & ENTRY_ORDERED)) {
        map_tree_insert(&first, child);
        head->payload = (char *)first;
        child->flags |= ENTRY_ORDERED;
        map_iterations_lose(state, owner, slot, child);
        return;
    }
    *map_link_of(child) = (struct map_link){ .next = first };
    if (first != NULL)
        map_link_of(first)->previous = child;
    head->payload = (char *)child;
}

int map_owner_key(const struct keyed_state *state, const struct entry *child, struct slice *key)
{
    struct slice whole = slice_of(entry_key(child), child->key_bytes), rest = whole;
    int status = msgpack_skip(&rest);
    if (status == 0 && state->config.name_spaces)
        status = msgpack_skip(&rest);
    *key = slice_of(whole.data, whole.bytes - rest.bytes);
    return status;
}

/* A map's entries keep their owner in the cache; the entry whose value was put back by undo is one of the record's key. */
static struct entry *owner_cached(struct keyed_state *state, const struct entry *child)
{
    struct slice owners;
    int status = map_owner_key(state, child, &owners);
    assert(status == 0);
    (void)status;
    struct buffer key;
    buffer_init(&key);
    buffer_append_slice(&key, owners);
    memset(buffer_reserve(&key, 16), 0, 16);
    struct entry *owner = table_find(&state->columns[0].table, key.data, (uint32_t)owners.bytes, hash_bytes(key.data, owners.bytes));
    buffer_deinit(&key);
    assert(owner != NULL);
    return owner;
}

static void unlink_from_chain(struct cell *head, struct entry *child)
{
    struct map_link *link = map_link_of(child);
    if (head->payload == (char *)child)
        head->payload = (char *)link->next;
    if (link->previous != NULL)
        map_link_of(link->previous)->next = link->next;
    if (link->next != NULL)
        map_link_of(link->next)->previous = link->previous;
}

static void unlink_child(struct keyed_state *state, struct entry *owner, uint32_t slot, struct entry *child)
{
    struct cell *head = &owner->slots[slot];
    if (child->flags & ENTRY_ORDERED) {
        struct entry *root = (struct entry *)(void *)head->payload;
        map_tree_remove(&root, child);
        head->payload = (char *)root;
        map_iterations_lose(state, owner, slot, child);
    } else {
        unlink_from_chain(head, child);
    }
    child->flags &= (uint16_t)~(ENTRY_LINKED | ENTRY_ORDERED | ENTRY_ITERATED);
}

void map_unlink_child(struct keyed_state *state, uint32_t column, struct entry *child)
{
    if (!(child->flags & ENTRY_LINKED))
        return;
    struct entry *owner = owner_cached(state, child);
    uint32_t slot = (uint32_t)slot_of_column(state, column);
    struct cell *head = &owner->slots[slot];
    head->tag = SLOT_MAP_PARTIAL;
    unlink_child(state, owner, slot, child);
}

void map_child_undone(struct keyed_state *state, uint32_t column, struct entry *child)
{
    bool live = child->slots[0].tag != CELL_ABSENT, linked = (child->flags & ENTRY_LINKED) != 0;
    if (live == linked)
        return;
    struct entry *owner = owner_cached(state, child);
    uint32_t slot = (uint32_t)slot_of_column(state, column);
    if (live)
        map_link_child(state, owner, slot, child);
    else
        unlink_child(state, owner, slot, child);
}

bool map_has_children(const struct keyed_state *state, const struct entry *owner)
{
    for (uint32_t i = 0; i < state->config.states; i++) {
        if (state->config.state[i].kind == KIND_MAP && owner->slots[i].tag != CELL_ABSENT && owner->slots[i].payload != NULL)
            return true;
    }
    return false;
}

/* The user's key goes before the map key; the tables want 16 readable bytes, zero-padded. */
static struct buffer *key_begin(struct keyed_state *state, struct entry *owner)
{
    struct buffer *key = &state->scratch;
    buffer_clear(key);
    buffer_append(key, entry_key(owner), owner->key_bytes);
    return key;
}

static int key_end(struct keyed_state *state)
{
    struct buffer *key = &state->scratch;
    if (key->bytes > ENTRY_KEY_BYTES_MAX)
        return error_set(ERROR_TOO_LARGE, "map key of %zu bytes (at most %d with the record's key)", key->bytes, ENTRY_KEY_BYTES_MAX);
    memset(buffer_reserve(key, 16), 0, 16);
    return 0;
}

int map_key_number(struct keyed_state *state, struct entry *owner, double number)
{
    struct buffer *key = key_begin(state, owner);
    uint32_t bytes = key_write_number((uint8_t *)buffer_reserve(key, 16), number);
    if (bytes == 0)
        return map_key_cell(state, owner, &(struct cell){ .tag = CELL_NUMBER, .number = number }, NULL);
    key->bytes += bytes;
    return key_end(state);
}

int map_key_string(struct keyed_state *state, struct entry *owner, const char *text, size_t bytes)
{
    msgpack_write_string(key_begin(state, owner), slice_of(text, bytes));
    return key_end(state);
}

int map_key_cell(struct keyed_state *state, struct entry *owner, const struct cell *cell, const char *bytes)
{
    int status = msgpack_write_key(key_begin(state, owner), *cell, bytes);
    return status < 0 ? status : key_end(state);
}

static struct cell *head_of(struct entry *owner, uint32_t slot)
{
    return &owner->slots[slot];
}

/* The entry of the key in scratch, cached or loaded; a loaded one is chained to its map. */
static int child_find(struct keyed_state *state, struct entry *owner, uint32_t slot, struct entry **child)
{
    uint32_t column = state->child_column[slot];
    const struct buffer *key = &state->scratch;
    uint64_t hash = hash_bytes(key->data, key->bytes);
    *child = table_find(&state->columns[column].table, key->data, (uint32_t)key->bytes, hash);
    if (*child != NULL) {
        (*child)->flags |= ENTRY_REFERENCED;
        return 0;
    }
    if (head_of(owner, slot)->tag != SLOT_MAP_PARTIAL)
        return 0;
    int status = state_load(state, column, key->data, (uint32_t)key->bytes, hash, owner->group, child);
    if (status == 0 && *child != NULL)
        map_link_child(state, owner, slot, *child);
    return status;
}

int map_state_get(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell **value)
{
    struct entry *child = NULL;
    *value = NULL;
    if (map_state_count(owner, slot) == 0)
        return 0;
    int status = child_find(state, owner, slot, &child);
    if (status == 0 && child != NULL && child->slots[0].tag != CELL_ABSENT)
        *value = &child->slots[0];
    return status;
}

/* The count changes; the head appears with the first entry. Chain and count are one cell: undo puts back the count, and the chain by its entries. */
static void head_count(struct keyed_state *state, struct entry *owner, uint32_t slot, int32_t change)
{
    struct cell head = *head_of(owner, slot);
    if (head.tag == CELL_ABSENT)
        head = (struct cell){ .tag = SLOT_MAP };
    head.length = (uint32_t)((int32_t)head.length + change);
    state_slot_set(state, 0, owner, slot, head);
}

/* The entry of the key in scratch, made if there is none, chained to its map if it is not: a restored tombstone hangs on nothing. */
static struct entry *child_make(struct keyed_state *state, struct entry *owner, uint32_t slot)
{
    const struct buffer *key = &state->scratch;
    if (head_of(owner, slot)->tag == CELL_ABSENT)
        head_count(state, owner, slot, 0);
    bool made;
    struct entry *child = table_find_or_make(&state->columns[state->child_column[slot]].table, key->data, (uint32_t)key->bytes,
                                             hash_bytes(key->data, key->bytes), owner->group, &made);
    if (!(child->flags & ENTRY_LINKED))
        map_link_child(state, owner, slot, child);
    return child;
}

int map_state_put(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *value, const char *bytes)
{
    uint32_t column = state->child_column[slot];
    struct entry *child;
    int status = child_find(state, owner, slot, &child);
    if (status < 0)
        return status;
    if (child == NULL || !(child->flags & ENTRY_LINKED))
        child = child_make(state, owner, slot);
    if (child->slots[0].tag == CELL_ABSENT)
        head_count(state, owner, slot, 1);
    map_iterations_keep(state, owner, slot, child);
    state_touch(state, column, child);
    char *reuse = state_slot_reuse(state, &child->slots[0]);
    state_slot_set(state, column, child, 0, payload_store(*value, bytes, reuse));
    return 0;
}

/* What is gone hangs on nothing: a map that is filled and cleared again and again would else be as long as all that was in it since the last sweep. */
static void child_clear(struct keyed_state *state, struct entry *owner, uint32_t slot, struct entry *child)
{
    map_iterations_keep(state, owner, slot, child);
    state_slot_set(state, state->child_column[slot], child, 0, (struct cell){ .tag = CELL_ABSENT });
    head_count(state, owner, slot, -1);
    unlink_child(state, owner, slot, child);
}

int map_state_remove(struct keyed_state *state, struct entry *owner, uint32_t slot)
{
    struct entry *child = NULL;
    if (map_state_count(owner, slot) == 0)
        return 0;
    int status = child_find(state, owner, slot, &child);
    if (status == 0 && child != NULL && child->slots[0].tag != CELL_ABSENT)
        child_clear(state, owner, slot, child);
    return status;
}

/* Rows that are only in the store are brought in, so that each gets its tombstone. */
int map_load_all(struct keyed_state *state, struct entry *owner, uint32_t slot)
{
    struct store *store = backend_store_opened(state->config.backend);
    struct state_column *home = &state->columns[state->child_column[slot]];
    if (head_of(owner, slot)->tag != SLOT_MAP_PARTIAL || store == NULL)
        return 0;
    struct buffer prefix;
    buffer_init(&prefix);
    char start[ROW_KEY_PREFIX_BYTES] = { (char)(owner->group >> 8), (char)owner->group, (char)(home->layout.column >> 8), (char)home->layout.column };
    buffer_append(&prefix, start, sizeof start);
    buffer_append(&prefix, entry_key(owner), owner->key_bytes);
    struct store_iterator *rows = store_iterate(store, buffer_slice(&prefix));
    buffer_deinit(&prefix);
    int status = 0;
    for (; status == 0 && store_iterator_valid(rows); store_iterator_next(rows)) {
        struct slice key = store_iterator_key(rows);
        buffer_clear(&state->scratch);
        buffer_append(&state->scratch, key.data + ROW_KEY_PREFIX_BYTES, key.bytes - ROW_KEY_PREFIX_BYTES);
        memset(buffer_reserve(&state->scratch, 16), 0, 16);
        struct entry *child;
        status = child_find(state, owner, slot, &child);
    }
    int closed = store_iterator_close(rows);
    if (status == 0 && closed == 0)
        head_of(owner, slot)->tag = SLOT_MAP;
    return status < 0 ? status : closed;
}

int map_state_clear(struct keyed_state *state, struct entry *owner, uint32_t slot)
{
    if (map_state_count(owner, slot) == 0)
        return 0;
    int status = map_load_all(state, owner, slot);
    if (status < 0)
        return status;
    for (struct entry *child; (child = map_first(owner, slot)) != NULL;)
        child_clear(state, owner, slot, child);
    return 0;
}

uint32_t map_state_count(const struct entry *owner, uint32_t slot)
{
    return owner->slots[slot].tag == CELL_ABSENT ? 0 : owner->slots[slot].length;
}
