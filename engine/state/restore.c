/*
 * A restore: rows of a base, then of deltas in the order of their epochs, put into
 * the cache (restore_rows.c); the last one of a key wins. With a base of the store's
 * own files the cache begins empty and holds only what the deltas bring. Here is
 * what comes before the first row and after the last one.
 */
#include "state/keyed_state_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/payload.h"

#include <stdlib.h>

#define RESERVE_MIN 65536
#define GUESS_SHARE 64 /* one key in so many more, for the guess may be too low */
#define INDEX_BYTES 24 /* of a key at most */
#define BLOCKS_AHEAD_MAX 4096 /* 8 GB */

void state_restore_begin(struct keyed_state *state, bool stored)
{
    for (uint32_t c = 0; c < state->column_count; c++)
        state->columns[c].stored = stored && backend_spills(state->config.backend);
}

void keyed_state_restore_expect(struct keyed_state *state, uint64_t keys)
{
    struct table *table = &state->columns[0].table;
    uint64_t room = backend_share_bytes(state->config.backend) / (table->entry_bytes + INDEX_BYTES);
    uint64_t expected = keys + keys / GUESS_SHARE;
    if (expected < RESERVE_MIN || state->prefault != NULL)
        return;
    table_reserve(table, expected < room ? expected : room);
    struct memory_block *blocks = memory_new(BLOCKS_AHEAD_MAX * sizeof *blocks);
    state->prefault = prefault_begin(blocks, table_blocks(table, blocks, BLOCKS_AHEAD_MAX));
    free(blocks);
}

/* All that went below is in the store, and the memory that it took on its way is free again. */
static int restore_below_done(struct keyed_state *state)
{
    if (!state->restore_below)
        return 0;
    int status = state_pending_apply(state);
    store_write_free(state->pending);
    state->pending = store_write_new();
    state->restore_below = false;
    return status;
}

static int owner_of(struct keyed_state *state, const struct entry *child, struct entry **owner)
{
    struct slice owners;
    if (map_owner_key(state, child, &owners) < 0)
        return error_wrap(ERROR_CORRUPT, "state: the key of a map entry");
    char key[ENTRY_KEY_BYTES_MAX + ENTRY_KEY_INLINED_MAX];
    memcpy(key, owners.data, owners.bytes);
    memset(key + owners.bytes, 0, ENTRY_KEY_INLINED_MAX);
    return state_load(state, 0, key, (uint32_t)owners.bytes, hash_bytes(key, owners.bytes), child->group, owner);
}

static int link_children(struct keyed_state *state, uint32_t slot)
{
    struct state_column *home = &state->columns[state->child_column[slot]];
    struct table_cursor cursor = { 0 };
    for (struct entry *child; (child = table_next(&home->table, &cursor)) != NULL;) {
        if (child->slots[0].tag == CELL_ABSENT)
            continue;
        struct entry *owner = NULL;
        int status = owner_of(state, child, &owner);
        if (status < 0)
            return status;
        if (owner == NULL || owner->slots[slot].tag == CELL_ABSENT)
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

int state_restore_done(struct keyed_state *state)
{
    prefault_end(state->prefault);
    state->prefault = NULL;
    if (restore_below_done(state) < 0)
        return state->failure;
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
