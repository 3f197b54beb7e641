/*
 * Rows of a base, then of deltas in the order of their epochs, put into the
 * cache; the last one of a key wins. With a base of the store's own files the
 * cache begins empty and holds only what the deltas bring.
 *
 * When the cache has taken its share of memory, it stays as it is: the rows of keys
 * that it does not have go straight to the store, in files as large as the store's
 * part of memory. Rows that were put into the cache only to be evicted from it would
 * reach the store in a great many small files, to be merged again and again.
 */
#include "state/keyed_state_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/payload.h"

#include <stdlib.h>

#define ROWS_AHEAD 16
#define ACCOUNT_EACH_WINDOWS 64
#define RESERVE_BYTES_MIN (1u << 20)
#define ROWS_SAMPLED 1024
#define INDEX_BYTES 24 /* of a key at most */
#define WAITING_ROW_BYTES 64 /* of a row that waits to be sorted, beside its own */
#define BLOCKS_AHEAD_MAX 4096 /* 8 GB */

void state_restore_begin(struct keyed_state *state, bool stored)
{
    for (uint32_t c = 0; c < state->column_count; c++)
        state->columns[c].stored = stored && backend_spills(state->config.backend);
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
        if (row_slot_is_value(&home->layout.slot[i]) && slot_has_payload(slot)) {
            state->payload_bytes -= payload_bytes(slot);
            payload_free(slot->payload);
        }
        *slot = (struct cell){ .tag = CELL_ABSENT };
    }
}

/* A row on its way into its table: the table wants short keys zero-padded. */
struct arriving_row {
    struct row row;
    struct state_column *home;
    uint32_t column;
    uint64_t hash;
    char key[ENTRY_KEY_INLINED_MAX];
};

/* False: the row is another subtask's, or of a state that is no more. */
static bool arrive(struct keyed_state *state, struct arriving_row *arriving)
{
    const struct row *row = &arriving->row;
    arriving->home = column_of(state, row->column, &arriving->column);
    if (arriving->home == NULL || row->group < state->config.group_first || row->group > state->config.group_last)
        return false;
    if (row->key.bytes <= ENTRY_KEY_INLINED_MAX) {
        memset(arriving->key, 0, sizeof arriving->key);
        memcpy(arriving->key, row->key.data, row->key.bytes);
    }
    arriving->hash = hash_bytes(row->key.data, row->key.bytes);
    table_prefetch_bucket(&arriving->home->table, arriving->hash);
    return true;
}

/* It has no entry, nor room for one: what the store may have of it is older than this row. */
static int restore_below(struct keyed_state *state, const struct row *row)
{
    char prefix[ROW_KEY_PREFIX_BYTES] = { (char)(row->group >> 8), (char)row->group, (char)(row->column >> 8), (char)row->column };
    buffer_clear(&state->scratch);
    buffer_append(&state->scratch, prefix, sizeof prefix);
    buffer_append_slice(&state->scratch, row->key);
    if (row->removed)
        store_write_remove(state->pending, buffer_slice(&state->scratch));
    else
        store_write_put(state->pending, buffer_slice(&state->scratch), row->value);
    size_t waiting = store_write_bytes(state->pending) + (size_t)store_write_count(state->pending) * WAITING_ROW_BYTES;
    return waiting < backend_write_bytes(state->config.backend) ? 0 : state_pending_apply(state);
}

static int restore_row(struct keyed_state *state, const struct arriving_row *arriving)
{
    const struct row *row = &arriving->row;
    struct state_column *home = arriving->home;
    if (arriving->column == 0 && state_group(state, row->key, arriving->hash) != row->group)
        return error_set(ERROR_CORRUPT, "state row: its key is not of key group %u", row->group);
    const char *key = row->key.bytes <= ENTRY_KEY_INLINED_MAX ? arriving->key : row->key.data;
    if (state->restore_below && table_find(&home->table, key, (uint32_t)row->key.bytes, arriving->hash) == NULL)
        return restore_below(state, row);
    bool made;
    struct entry *entry = table_find_or_make(&home->table, key, (uint32_t)row->key.bytes, arriving->hash, row->group, &made);
    if (!made)
        slots_clear(state, home, entry);
    entry->flags |= ENTRY_UNSTORED | ENTRY_DURABLE;
    if (row->removed) {
        if (!home->stored)
            state_drop(state, arriving->column, entry);
        return 0; /* else it stays, empty, until its removal reaches the store */
    }
    int status = row_read_value(row->value, &home->layout, entry);
    for (uint32_t i = 0; i < home->layout.slots; i++) {
        if (home->layout.slot[i].kind == KIND_VALUE)
            state->payload_bytes += payload_bytes(&entry->slots[i]);
    }
    return status;
}

bool state_owns(const struct keyed_state *state, uint16_t column)
{
    for (uint32_t c = 0; c < state->column_count; c++) {
        if (state->columns[c].layout.column == column)
            return true;
    }
    return false;
}

int state_restore_row(struct keyed_state *state, const struct row *row)
{
    struct arriving_row arriving = { .row = *row };
    int status = arrive(state, &arriving) ? restore_row(state, &arriving) : 0;
    table_settle(&arriving.home->table);
    return status;
}

struct window { struct arriving_row rows[ROWS_AHEAD]; uint32_t count; };

/* The next rows, their buckets on the way. */
static int window_read(struct keyed_state *state, struct slice *rows, struct window *window)
{
    window->count = 0;
    for (uint32_t taken = 0; taken < ROWS_AHEAD && rows->bytes > 0; taken++) {
        int status = row_read(rows, &window->rows[window->count].row);
        if (status < 0)
            return status;
        struct arriving_row *arriving = &window->rows[window->count];
        window->count += arrive(state, arriving);
        if (arriving->home == NULL && (status = state_parts_restore_row(state, &arriving->row)) < 0)
            return status;
    }
    return 0;
}

static int window_restore(struct keyed_state *state, const struct window *window)
{
    for (uint32_t i = 0; i < window->count; i++)
        table_prefetch_entry(&window->rows[i].home->table, window->rows[i].hash);
    int status = 0;
    for (uint32_t i = 0; i < window->count && status == 0; i++)
        status = restore_row(state, &window->rows[i]);
    for (uint32_t c = 0; c < state->column_count; c++)
        table_settle(&state->columns[c].table);
    return status;
}

void keyed_state_restore_expect(struct keyed_state *state, uint64_t bytes)
{
    uint64_t groups = (uint64_t)state->config.group_last - state->config.group_first + 1;
    state->restore_bytes = bytes / state->config.max_parallelism * groups;
}

/* With one table it is known from the first rows how many will come. */
static int reserve(struct keyed_state *state, struct slice rows)
{
    uint64_t expected = state->restore_bytes;
    state->restore_bytes = 0;
    if (expected < RESERVE_BYTES_MIN || state->column_count > 1)
        return 0;
    size_t before = rows.bytes;
    struct row row;
    uint64_t count = 0;
    for (; count < ROWS_SAMPLED && rows.bytes > 0; count++) {
        int status = row_read(&rows, &row);
        if (status < 0)
            return status;
        if (row.column != state->config.column)
            return 0; /* the rows are of several steps: how many of each is open */
    }
    struct table *table = &state->columns[0].table;
    uint64_t entries = expected / ((before - rows.bytes) / count), room = backend_share_bytes(state->config.backend) / (table->entry_bytes + INDEX_BYTES);
    table_reserve(table, entries < room ? entries : room);
    struct memory_block *blocks = memory_new(BLOCKS_AHEAD_MAX * sizeof *blocks);
    state->prefault = prefault_begin(blocks, table_blocks(table, blocks, BLOCKS_AHEAD_MAX));
    free(blocks);
    return 0;
}

static void make_room(struct keyed_state *state)
{
    state_parts_evict(state);
    if (state_account(state) == 0 || state->restore_below)
        return;
    state->restore_below = true;
    for (uint32_t c = 0; c < state->column_count; c++)
        state->columns[c].stored = true;
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

int keyed_state_restore_rows(struct keyed_state *state, struct slice rows)
{
    int reserved = state->restore_bytes > 0 && rows.bytes > 0 ? reserve(state, rows) : 0;
    if (reserved < 0)
        return reserved;
    /* One window is read while the buckets of the other come: cache misses overlap. */
    struct window windows[2];
    int status = window_read(state, &rows, &windows[0]);
    for (uint32_t turn = 0; status == 0; turn++) {
        bool last = rows.bytes == 0;
        if (!last)
            status = window_read(state, &rows, &windows[(turn + 1) % 2]);
        if (status == 0)
            status = window_restore(state, &windows[turn % 2]);
        if (turn % ACCOUNT_EACH_WINDOWS == ACCOUNT_EACH_WINDOWS - 1)
            make_room(state);
        if (last)
            break;
    }
    return status < 0 ? status : state->failure;
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
