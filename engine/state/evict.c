/*
 * The border between cache and store. Eviction is done between batches, in
 * bounded amounts, so no pointer that a batch holds goes stale; what is dirty or
 * frozen stays until it is swept, so no row leaves the cache before its delta.
 */
#include "state/keyed_state_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/map_state.h"
#include "state/payload.h"

#include <stdlib.h>

/* The store takes rows in the thousands as one sorted file, at a third of their price one by one. */
#define EVICTED_PER_CALL 32768
#define TIDIED_PER_CALL 8
#define VISITED_PER_CALL (16 * EVICTED_PER_CALL)
#define EVICTED_PART 16
#define SWEPT_EARLY_PER_CALL 8192

static int fail(struct keyed_state *state, int status)
{
    if (status < 0 && state->failure == 0)
        state->failure = status;
    return status;
}

int state_pending_apply(struct keyed_state *state)
{
    struct store *store;
    if (store_write_count(state->pending) == 0)
        return 0;
    int status = backend_store(state->config.backend, &store);
    if (status == 0)
        status = store_write_apply(store, state->pending);
    backend_store_grew(state->config.backend);
    return fail(state, status);
}

static void store_row(struct keyed_state *state, struct state_column *home, struct entry *entry)
{
    buffer_clear(&state->scratch);
    row_write_key(&state->scratch, &home->layout, entry);
    size_t key_bytes = state->scratch.bytes;
    if (row_is_empty(&home->layout, entry)) {
        if (home->stored)
            store_write_remove(state->pending, buffer_slice(&state->scratch));
        return;
    }
    row_write_value(&state->scratch, &home->layout, entry);
    struct slice whole = buffer_slice(&state->scratch);
    store_write_put(state->pending, slice_of(whole.data, key_bytes), slice_of(whole.data + key_bytes, whole.bytes - key_bytes));
    home->stored = true;
}

static void evict_entry(struct keyed_state *state, uint32_t column, struct entry *entry)
{
    struct state_column *home = &state->columns[column];
    if (state->base_running && !state->base_into_store)
        state_dump_entry(state, column, entry); /* the walk will not find it any more */
    if (entry->flags & ENTRY_UNSTORED)
        store_row(state, home, entry);
    if (column_is_of_map(home))
        map_unlink_child(state, column, entry);
    state_drop(state, column, entry);
}

static bool evictable(struct keyed_state *state, uint32_t column, struct entry *entry)
{
    if (!(entry->flags & ENTRY_LIVE) || dirty_in_running_epoch(state, entry) || frozen_unswept(state, entry))
        return false;
    if (entry->flags & ENTRY_REFERENCED) {
        entry->flags &= (uint16_t)~ENTRY_REFERENCED;
        return false;
    }
    return column > 0 || !map_has_children(state, entry);
}

/* The next entry under the hands of all columns in turn; `ends` counts the tables whose end they have come to. */
static struct entry *hand_next(struct keyed_state *state, uint32_t *column, uint32_t *ends)
{
    for (uint32_t turn = 0; turn <= state->column_count; turn++) {
        *column = state->evict_column;
        struct entry *entry = table_hand_next(&state->columns[*column].table);
        if (entry != NULL)
            return entry;
        state->evict_column = (state->evict_column + 1) % state->column_count;
        *ends += 1;
    }
    return NULL;
}

static size_t evict_bytes(struct keyed_state *state, size_t wanted)
{
    size_t freed = 0;
    uint32_t evicted = 0, ends = 0;
    for (uint32_t visited = 0; visited < VISITED_PER_CALL && evicted < EVICTED_PER_CALL && freed < wanted; visited++) {
        uint32_t column;
        struct entry *entry = hand_next(state, &column, &ends);
        if (entry == NULL || ends > 2 * state->column_count) /* all were seen twice: what is left has to stay */
            break;
        if (!evictable(state, column, entry))
            continue;
        size_t before = state->payload_bytes + state->columns[column].table.key_bytes;
        freed += state->columns[column].table.entry_bytes;
        evict_entry(state, column, entry);
        freed += before - state->payload_bytes - state->columns[column].table.key_bytes;
        evicted++;
    }
    state_pending_apply(state);
    return freed;
}

size_t state_account(struct keyed_state *state)
{
    size_t bytes = state_bytes(state);
    size_t over = backend_account(state->config.backend, state->accounted_bytes, bytes);
    state->accounted_bytes = bytes;
    return over;
}

/* With nothing in it, and nobody has to be told of it: its key was only read, or it was made since the last barrier and is empty again. */
static bool is_needless(const struct keyed_state *state, uint32_t column, const struct entry *entry)
{
    const struct state_column *home = &state->columns[column];
    if (!(entry->flags & ENTRY_LIVE) || !row_is_empty(&home->layout, entry))
        return false;
    bool only_read = entry->dirty_epoch == 0 && !(entry->flags & ENTRY_UNSTORED);
    bool came_and_went = dirty_in_running_epoch(state, entry) && !(entry->flags & ENTRY_DURABLE) && !state->base_running;
    if (!only_read && !came_and_went)
        return false;
    return column == 0 ? !map_has_children(state, entry) : !(entry->flags & ENTRY_LINKED);
}

/*
 * What is needless goes when the hand comes by it for the second time since it was used, also
 * where memory is no matter. (Over a store eviction does that; what is on its way there must
 * not be read before it is there.)
 */
static void tidy(struct keyed_state *state)
{
    uint64_t wanted = TIDIED_PER_CALL + 4 * (uint64_t)state->made; /* it keeps up with entries that are made */
    uint64_t entries = state_entries(state); /* none twice in one call: who called holds entries */
    uint32_t column, ends = 0;
    state->made = 0;
    for (uint64_t visited = 0; visited < wanted && visited < entries; visited++) {
        struct entry *entry = hand_next(state, &column, &ends);
        if (entry == NULL || !is_needless(state, column, entry))
            continue;
        if (entry->flags & ENTRY_REFERENCED)
            entry->flags &= (uint16_t)~ENTRY_REFERENCED;
        else
            state_drop(state, column, entry);
    }
}

/*
 * Nothing is evicted after a write to the store failed: the rows that it refused
 * are lost to the cache, and the job fails with the reason before it reads them.
 */
static void evict(struct keyed_state *state)
{
    size_t over = state_account(state);
    if (over == 0 && !state_stored(state))
        tidy(state);
    if (over == 0 || state->failure < 0)
        return;
    if (evict_bytes(state, over + state->accounted_bytes / EVICTED_PART) < over) {
        /* Rows of the running epoch leave after all of the frozen one: the last row of a key wins in a restore. */
        if (state_sweep(state, SWEPT_EARLY_PER_CALL))
            state_sweep_list(state, &state->dirty, state->epoch, &state->dirty_buffer, SWEPT_EARLY_PER_CALL);
    }
    state_account(state);
}

void keyed_state_evict(struct keyed_state *state)
{
    map_iterations_end(state);
    evict(state);
    state_parts_evict(state);
}

static int fill(struct state_column *home, struct entry *entry, struct slice value)
{
    entry->flags |= ENTRY_DURABLE;
    return row_read_value(value, &home->layout, entry);
}

void state_slots_filled(struct keyed_state *state, const struct state_column *home, const struct entry *entry)
{
    for (uint32_t i = 0; i < home->layout.slots; i++) {
        if (row_slot_takes_payload(&home->layout.slot[i]))
            state->payload_bytes += payload_bytes(&entry->slots[i]);
    }
}

int state_load_batch(struct keyed_state *state, struct entry **entries, const int32_t *missing, int32_t count)
{
    struct state_column *home = &state->columns[0];
    struct store *store = backend_store_opened(state->config.backend);
    if (count == 0 || store == NULL)
        return 0;
    struct slice keys[BATCH_RECORDS_MAX], values[BATCH_RECORDS_MAX];
    bool found[BATCH_RECORDS_MAX];
    struct buffer key_bytes, value_bytes;
    buffer_init(&key_bytes);
    buffer_init(&value_bytes);
    size_t ends[BATCH_RECORDS_MAX];
    for (int32_t i = 0; i < count; i++) {
        row_write_key(&key_bytes, &home->layout, entries[missing[i]]);
        ends[i] = key_bytes.bytes;
    }
    for (int32_t i = 0; i < count; i++) {
        size_t start = i == 0 ? 0 : ends[i - 1];
        keys[i] = slice_of(key_bytes.data + start, ends[i] - start);
    }
    int status = store_get_many(store, keys, (uint32_t)count, &value_bytes, values, found);
    for (int32_t i = 0; i < count && status == 0; i++) {
        entries[missing[i]]->flags &= (uint16_t)~ENTRY_REFERENCED; /* one of the many that come once, until it comes again */
        if (!found[i])
            continue;
        status = fill(home, entries[missing[i]], values[i]);
        state_slots_filled(state, home, entries[missing[i]]);
    }
    buffer_deinit(&key_bytes);
    buffer_deinit(&value_bytes);
    return fail(state, status);
}

int state_load(struct keyed_state *state, uint32_t column, const char *key, uint32_t key_bytes, uint64_t hash, uint16_t group, struct entry **entry)
{
    struct state_column *home = &state->columns[column];
    *entry = table_find(&home->table, key, key_bytes, hash);
    if (*entry != NULL) {
        (*entry)->flags |= ENTRY_REFERENCED;
        return 0;
    }
    struct store *store = home->stored ? backend_store_opened(state->config.backend) : NULL;
    if (store == NULL)
        return 0;
    struct buffer row;
    buffer_init(&row);
    char prefix[ROW_KEY_PREFIX_BYTES] = { (char)(group >> 8), (char)group, (char)(home->layout.column >> 8), (char)home->layout.column };
    buffer_append(&row, prefix, sizeof prefix);
    buffer_append(&row, key, key_bytes);
    struct buffer value;
    buffer_init(&value);
    bool found;
    int status = store_get(store, buffer_slice(&row), &value, &found);
    if (status == 0 && found) {
        bool made;
        *entry = table_find_or_make(&home->table, key, key_bytes, hash, group, &made);
        status = fill(home, *entry, buffer_slice(&value));
        state_slots_filled(state, home, *entry);
    }
    buffer_deinit(&row);
    buffer_deinit(&value);
    return fail(state, status);
}

/* A row of the store is filled into `entry`, which belongs to no table; rows that are cached too do not count. */
static uint64_t row_count(struct keyed_state *state, struct slice row_key, struct slice value, struct entry *entry)
{
    struct state_column *home = &state->columns[0];
    struct slice key = slice_of(row_key.data + ROW_KEY_PREFIX_BYTES, row_key.bytes - ROW_KEY_PREFIX_BYTES);
    buffer_clear(&state->scratch);
    buffer_append_slice(&state->scratch, key);
    memset(buffer_reserve(&state->scratch, ENTRY_KEY_INLINED_MAX), 0, ENTRY_KEY_INLINED_MAX);
    if (table_find(&home->table, state->scratch.data, (uint32_t)key.bytes, hash_bytes(key.data, key.bytes)) != NULL)
        return 0;
    memset(entry, 0, home->table.entry_bytes);
    uint64_t rows = fail(state, row_read_value(value, &home->layout, entry)) < 0 ? 0 : state_rows_of(state, entry);
    for (uint32_t i = 0; i < home->layout.slots; i++) {
        if (slot_has_payload(&entry->slots[i]))
            payload_free(entry->slots[i].payload);
    }
    return rows;
}

uint64_t state_rows_stored(struct keyed_state *state)
{
    const struct state_column *home = &state->columns[0];
    struct store *store = home->stored ? backend_store_opened(state->config.backend) : NULL;
    if (store == NULL)
        return 0;
    uint64_t rows = 0;
    uint16_t column = home->layout.column;
    struct entry *entry = memory_new(home->table.entry_bytes);
    for (uint32_t group = state->config.group_first; group <= state->config.group_last; group++) {
        char prefix[ROW_KEY_PREFIX_BYTES] = { (char)(group >> 8), (char)group, (char)(column >> 8), (char)column };
        struct store_iterator *iterator = store_iterate(store, slice_of(prefix, sizeof prefix));
        for (; store_iterator_valid(iterator); store_iterator_next(iterator))
            rows += row_count(state, store_iterator_key(iterator), store_iterator_value(iterator), entry);
        fail(state, store_iterator_close(iterator));
    }
    free(entry);
    return rows;
}
