/*
 * Rows of a base, then of deltas in the order of their epochs, put into the
 * cache; the last one of a key wins. With a base of the store's own files the
 * cache begins empty and holds only what the deltas bring.
 */
#include "state/keyed_state_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "codec/msgpack.h"
#include "state/payload.h"

#define EVICT_EACH_ROWS 1024

void keyed_state_restore_begin(struct keyed_state *state, bool stored)
{
    for (uint32_t c = 0; c < state->column_count; c++)
        state->columns[c].stored = stored;
}

static struct state_column *column_of(struct keyed_state *state, uint16_t id, uint32_t *column)
{
    for (uint32_t c = 0; c < state->column_count; c++) {
        if (state->columns[c].layout.column == id) {
            *column = c;
            return &state->columns[c];
        }
    }
    return NULL;
}

static void slots_clear(struct keyed_state *state, const struct state_column *home, struct entry *entry)
{
    for (uint32_t i = 0; i < home->layout.slots; i++) {
        struct cell *slot = &entry->slots[i];
        if (home->layout.slot[i].kind == KIND_VALUE && slot_has_payload(slot)) {
            state->payload_bytes -= payload_bytes(slot);
            payload_free(slot->payload);
        }
        *slot = (struct cell){ .tag = CELL_ABSENT };
    }
}

static int restore_row(struct keyed_state *state, const struct row *row)
{
    uint32_t column;
    struct state_column *home = column_of(state, row->column, &column);
    if (home == NULL || row->group < state->config.group_first || row->group > state->config.group_last)
        return 0;
    buffer_clear(&state->scratch);
    buffer_append_slice(&state->scratch, row->key);
    memset(buffer_reserve(&state->scratch, 16), 0, 16); /* tables read keys in words of 16 bytes */
    uint64_t hash = hash_bytes(row->key.data, row->key.bytes);
    bool made;
    struct entry *entry = table_find_or_make(&home->table, state->scratch.data, (uint32_t)row->key.bytes, hash, row->group, &made);
    if (!made)
        slots_clear(state, home, entry);
    entry->flags |= ENTRY_UNSTORED | ENTRY_DURABLE;
    if (row->removed) {
        if (!home->stored)
            state_drop(state, column, entry);
        return 0; /* else it stays, empty, until its removal reaches the store */
    }
    int status = row_read_value(row->value, &home->layout, entry);
    for (uint32_t i = 0; i < home->layout.slots; i++) {
        if (home->layout.slot[i].kind == KIND_VALUE)
            state->payload_bytes += payload_bytes(&entry->slots[i]);
    }
    return status;
}

int keyed_state_restore_rows(struct keyed_state *state, struct slice rows)
{
    struct row row;
    for (uint32_t count = 1; rows.bytes > 0; count++) {
        int status = row_read(&rows, &row);
        if (status == 0)
            status = restore_row(state, &row);
        if (status < 0)
            return status;
        if (count % EVICT_EACH_ROWS == 0) {
            for (uint32_t c = 0; c < state->column_count; c++)
                table_maintain(&state->columns[c].table);
            state_evict(state);
        }
    }
    return state->failure;
}

/* The user's key is the first msgpack value of a map entry's key. */
static struct entry *owner_of(struct keyed_state *state, const struct entry *child)
{
    struct slice whole = slice_of(entry_key(child), child->key_bytes), rest = whole;
    if (msgpack_skip(&rest) < 0)
        return NULL;
    uint32_t key_bytes = (uint32_t)(whole.bytes - rest.bytes);
    char key[ENTRY_KEY_BYTES_MAX + 16];
    memcpy(key, whole.data, key_bytes);
    memset(key + key_bytes, 0, 16);
    struct entry *owner = NULL;
    state_load(state, 0, key, key_bytes, hash_bytes(key, key_bytes), child->group, &owner);
    return owner;
}

static int link_children(struct keyed_state *state, uint32_t slot)
{
    struct state_column *home = &state->columns[state->child_column[slot]];
    struct table_cursor cursor = { 0 };
    for (struct entry *child; (child = table_next(&home->table, &cursor)) != NULL;) {
        if (child->slots[0].tag == CELL_ABSENT)
            continue;
        struct entry *owner = owner_of(state, child);
        if (owner == NULL)
            return error_set(ERROR_CORRUPT, "state: a map entry without its map");
        map_link_child(state, owner, slot, child);
    }
    return 0;
}

/* A map is whole in the cache if nothing of it can be in the store. */
static void mark_whole(struct keyed_state *state, uint32_t slot)
{
    struct state_column *main = &state->columns[0];
    struct table_cursor cursor = { 0 };
    for (struct entry *entry; (entry = table_next(&main->table, &cursor)) != NULL;) {
        if (entry->slots[slot].tag == SLOT_MAP_PARTIAL)
            entry->slots[slot].tag = SLOT_MAP;
    }
}

int keyed_state_restore_done(struct keyed_state *state)
{
    for (uint32_t slot = 0; slot < state->config.states; slot++) {
        if (state->config.state[slot].kind != KIND_MAP)
            continue;
        int status = link_children(state, slot);
        if (status < 0)
            return status;
        if (!state->columns[state->child_column[slot]].stored)
            mark_whole(state, slot);
    }
    return state->failure;
}
