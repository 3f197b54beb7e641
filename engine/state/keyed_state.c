#include "state/keyed_state_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "state/map_state.h"
#include "state/list_head.h"
#include "state/payload.h"
#include "state/timed_row.h"
#include "state/walker.h"

#include <stdlib.h>

static void column_init(struct state_column *column, uint16_t id, uint32_t slots)
{
    *column = (struct state_column){ 0 };
    table_init(&column->table, slots);
    column->layout.column = id;
    column->layout.slots = (uint16_t)slots;
}

static void columns_new(struct keyed_state *state)
{
    const struct keyed_state_config *config = &state->config;
    state->columns = memory_new_zeroed(1 + config->states, sizeof state->columns[0]);
    column_init(&state->columns[0], config->column, config->states);
    state->column_count = 1;
    for (uint32_t i = 0; i < config->states; i++) {
        state->columns[0].layout.slot[i] = (struct row_slot){ config->state[i].id, config->state[i].kind };
        bool map = config->state[i].kind == KIND_MAP;
        if (!map && config->state[i].kind != KIND_LIST)
            continue;
        struct state_column *child = &state->columns[state->column_count];
        state->child_column[i] = state->column_count++;
        column_init(child, config->state[i].id, map ? 2 : 1);
        child->layout.slot[0] = (struct row_slot){ 0, KIND_VALUE };
        child->layout.slot[1] = (struct row_slot){ 1, KIND_LINK };
    }
}

struct keyed_state *keyed_state_new(const struct keyed_state_config *config)
{
    struct keyed_state *state = memory_new_zeroed(1, sizeof *state);
    state->config = *config;
    state->epoch = config->epoch > 0 ? config->epoch : 1; /* 0 is an entry's mark of not being dirty */
    state->view.epoch = (uint32_t)state->epoch;
    columns_new(state);
    state->pending = store_write_new();
    buffer_init(&state->scratch);
    buffer_init(&state->element);
    buffer_init(&state->elements);
    backend_share(config->backend, 1);
    return state;
}

static void column_free(struct keyed_state *state, uint32_t column)
{
    struct table *table = &state->columns[column].table;
    struct table_cursor cursor = { 0 };
    for (struct entry *entry; (entry = table_next(table, &cursor)) != NULL;) {
        for (uint32_t i = 0; i < table->slots; i++) {
            if (row_slot_takes_payload(&state->columns[column].layout.slot[i]) && slot_has_payload(&entry->slots[i]))
                payload_free(entry->slots[i].payload);
        }
    }
    table_deinit(table);
}

void keyed_state_free(struct keyed_state *state)
{
    map_iterations_end(state);
    state_commit_record(state);
    if (state->attached_to != NULL)
        keyed_state_detach(state->attached_to, state);
    prefault_end(state->prefault);
    walker_free(state->walker);
    for (uint32_t c = 0; c < state->column_count; c++)
        column_free(state, c);
    struct state_buffer *buffers[] = { state->dirty_buffer, state->frozen_buffer, state->handed_buffer, state->dump_buffer };
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        if (buffers[i] != NULL)
            state_buffer_free(buffers[i]);
    }
    store_write_free(state->pending);
    backend_account(state->config.backend, state->accounted_bytes, 0);
    backend_share(state->config.backend, -1);
    buffer_deinit(&state->scratch);
    buffer_deinit(&state->element);
    buffer_deinit(&state->elements);
    free(state->dirty.items);
    free(state->frozen.items);
    free(state->undo);
    free(state->columns);
    free(state);
}

struct keyed_state_view *keyed_state_view(struct keyed_state *state)
{
    return &state->view;
}

static void undo_add(struct keyed_state *state, struct undo_record record)
{
    if (state->view.undo_count == state->undo_capacity) {
        state->undo_capacity = state->undo_capacity * 2 + 64;
        state->undo = memory_resize(state->undo, state->undo_capacity * sizeof state->undo[0]);
    }
    state->undo[state->view.undo_count++] = record;
    if (state->attached_to != NULL)
        keyed_state_undo_mark(state->attached_to);
}

bool keyed_state_undo_mark(struct keyed_state *state)
{
    if (state->config.undo && state->view.undo_count == 0)
        undo_add(state, (struct undo_record){ .entry = NULL });
    return state->config.undo;
}

char *state_slot_reuse(struct keyed_state *state, const struct cell *slot)
{
    return !state->config.undo && slot_has_payload(slot) ? slot->payload : NULL;
}

static void old_payload_free(struct keyed_state *state, const struct cell *old)
{
    state->payload_bytes -= payload_bytes(old);
    payload_free(old->payload);
}

void state_slot_set(struct keyed_state *state, uint32_t column, struct entry *entry, uint32_t slot, struct cell value)
{
    state_touch(state, column, entry);
    struct cell old = entry->slots[slot];
    bool in_place = slot_has_payload(&old) && slot_has_payload(&value) && old.payload == value.payload;
    if (state->config.undo)
        undo_add(state, (struct undo_record){ entry, column, slot, old });
    else if (slot_has_payload(&old) && !in_place)
        old_payload_free(state, &old);
    if (!in_place)
        state->payload_bytes += payload_bytes(&value);
    entry->slots[slot] = value;
}

void state_slot_append(struct keyed_state *state, uint32_t column, struct entry *entry, uint32_t slot, struct slice more)
{
    state_touch(state, column, entry); /* before a payload is written in place */
    struct cell old = entry->slots[slot];
    uint32_t used = old.tag == CELL_STRING ? old.length : 0;
    size_t needed = used + more.bytes;
    char *payload = state_slot_reuse(state, &old);
    if (payload == NULL || payload_capacity(payload) < needed) {
        payload = payload_new(needed < LIST_CHUNK_BYTES ? needed * 2 : needed);
        if (used > 0)
            memcpy(payload, old.payload, used);
    }
    memcpy(payload + used, more.data, more.bytes);
    state_slot_set(state, column, entry, slot, (struct cell){ .tag = CELL_STRING, .length = (uint32_t)needed, .payload = payload });
}

void value_state_set(struct keyed_state *state, struct entry *entry, uint32_t slot, const struct cell *cell, const char *bytes)
{
    state_touch(state, 0, entry); /* before a payload is written in place */
    char *reuse = state_slot_reuse(state, &entry->slots[slot]);
    state_slot_set(state, 0, entry, slot, payload_store(*cell, bytes, reuse));
}

void state_commit_record(struct keyed_state *state)
{
    for (uint32_t i = 0; i < state->view.undo_count; i++) {
        if (slot_has_payload(&state->undo[i].old)) /* a part's mark has none */
            old_payload_free(state, &state->undo[i].old);
    }
    state->view.undo_count = 0;
}

void state_undo(struct keyed_state *state)
{
    while (state->view.undo_count > 0) {
        struct undo_record *record = &state->undo[--state->view.undo_count];
        if (record->entry == NULL)
            continue; /* a part's mark */
        struct cell *slot = &record->entry->slots[record->slot];
        if (slot->tag == SLOT_MAP || slot->tag == SLOT_MAP_PARTIAL) {
            slot->length = record->old.tag == CELL_ABSENT ? 0 : record->old.length; /* the chain stays */
            continue;
        }
        if (slot_has_payload(slot))
            old_payload_free(state, slot);
        *slot = record->old;
        if (column_is_of_map(&state->columns[record->column]))
            map_child_undone(state, record->column, record->entry);
    }
}

void state_drop(struct keyed_state *state, uint32_t column, struct entry *entry)
{
    struct state_column *home = &state->columns[column];
    for (uint32_t i = 0; i < home->table.slots; i++) {
        if (row_slot_takes_payload(&home->layout.slot[i]) && slot_has_payload(&entry->slots[i]))
            old_payload_free(state, &entry->slots[i]);
    }
    entry->dirty_epoch = 0;
    table_remove(&home->table, entry);
}

uint16_t state_group(const struct keyed_state *state, struct slice key, uint64_t hash)
{
    struct slice rest = key;
    if (state->config.name_spaces && msgpack_skip(&rest) == 0)
        hash = hash_bytes(key.data, key.bytes - rest.bytes);
    return (uint16_t)(hash % state->config.max_parallelism);
}

static uint16_t group_of(const struct keyed_state *state, const struct batch *batch, const struct batch_key *key)
{
    return state_group(state, slice_of(arena_at(&batch->arena, key->offset), key->bytes), key->hash);
}

/* Asked for all keys before an entry is made: one that was not filled from the store must not be found later. */
static int groups_check(const struct keyed_state *state, const struct batch *batch, int32_t count)
{
    const struct keyed_state_config *config = &state->config;
    for (int32_t i = 0; i < count; i++) {
        uint16_t group = group_of(state, batch, &batch->keys[state->missing[i]]);
        if (group < config->group_first || group > config->group_last)
            return error_set(ERROR_ARGUMENT, "a key of key group %u came to subtask %u, which has %u to %u", group, config->subtask,
                             config->group_first, config->group_last);
    }
    return 0;
}

static int entries_make(struct keyed_state *state, const struct batch *batch, struct entry **entries, int32_t count)
{
    struct state_column *main = &state->columns[0];
    int32_t made_count = 0;
    int status = groups_check(state, batch, count);
    if (status < 0)
        return status;
    state->made += (uint32_t)count;
    for (int32_t i = 0; i < count; i++) {
        int32_t index = state->missing[i];
        const struct batch_key *key = &batch->keys[index];
        uint16_t group = group_of(state, batch, key);
        bool made;
        entries[index] = table_find_or_make(&main->table, arena_at(&batch->arena, key->offset), key->bytes, key->hash, group, &made);
        if (made)
            state->missing[made_count++] = index;
    }
    return main->stored ? state_load_batch(state, entries, state->missing, made_count) : 0;
}

int keyed_state_resolve(struct keyed_state *state, const struct batch *batch, struct entry **entries)
{
    for (uint32_t c = 0; c < state->column_count; c++)
        table_maintain(&state->columns[c].table);
    keyed_state_evict(state);
    int status = keyed_state_resolve_more(state, batch, entries);
    if (status == 0)
        state_touch_ahead(state, entries, batch->count);
    return status;
}

/* Values with bytes lie apart from their entries: they are fetched side by side too, unless all of them are so few that they are near anyway. */
#define NEAR_BYTES (1u << 20)

static void payloads_fetch(const struct keyed_state *state, struct entry **entries, int32_t count)
{
    uint32_t slots = state->columns[0].table.slots;
    for (int32_t i = 0; i < count; i++) {
        for (uint32_t slot = 0; slot < slots; slot++) {
            if (slot_has_payload(&entries[i]->slots[slot]))
                payload_fetch(&entries[i]->slots[slot]);
        }
    }
}

int keyed_state_resolve_more(struct keyed_state *state, const struct batch *batch, struct entry **entries)
{
    int32_t missing = table_find_batch(&state->columns[0].table, batch, entries, state->missing);
    int status = missing == 0 ? 0 : entries_make(state, batch, entries, missing);
    if (status == 0 && state->payload_bytes >= NEAR_BYTES)
        payloads_fetch(state, entries, batch->count);
    return status;
}

size_t state_bytes(const struct keyed_state *state)
{
    size_t bytes = state->payload_bytes + (state->dirty.capacity + state->frozen.capacity) * sizeof(uint64_t);
    for (uint32_t c = 0; c < state->column_count; c++)
        bytes += table_bytes(&state->columns[c].table);
    return bytes;
}

uint64_t state_entries(const struct keyed_state *state)
{
    uint64_t entries = 0;
    for (uint32_t c = 0; c < state->column_count; c++)
        entries += state->columns[c].table.count;
    return entries;
}

uint16_t keyed_state_column(const struct keyed_state *state)
{
    return state->config.column;
}

void keyed_state_groups(const struct keyed_state *state, uint16_t *first, uint16_t *last)
{
    *first = state->config.group_first;
    *last = state->config.group_last;
}

uint64_t keyed_state_keys(const struct keyed_state *state)
{
    return state->columns[0].table.count;
}

static uint64_t rows_of_value(const struct keyed_state *state, uint32_t slot, const struct cell *value)
{
    uint32_t row_bytes = state->config.state[slot].row_bytes;
    struct timed_range rows;
    if (state->config.state[slot].timed_rows)
        return timed_range_of(slice_of(value->payload, value->tag == CELL_STRING ? value->length : 0), &rows) < 0 ? 0 : rows.rows;
    return row_bytes == 0 ? 1 : value->length / row_bytes;
}

static uint64_t rows_of_slot(const struct keyed_state *state, uint32_t slot, uint32_t kind, const struct cell *cell)
{
    switch (kind) {
    case KIND_VALUE: return rows_of_value(state, slot, cell);
    case KIND_LIST: return list_head_count(cell);
    default: return cell->length;
    }
}

/* A value counts one, a map its entries, a list its elements: what a user would count. */
uint64_t state_rows_of(const struct keyed_state *state, const struct entry *entry)
{
    const struct row_layout *layout = &state->columns[0].layout;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < layout->slots; i++) {
        if (entry->slots[i].tag == CELL_ABSENT || state->config.state[i].hidden || !row_slot_is_written(&layout->slot[i]))
            continue;
        rows += rows_of_slot(state, i, layout->slot[i].kind, &entry->slots[i]);
    }
    return rows;
}

uint64_t state_rows(struct keyed_state *state)
{
    uint64_t rows = state_rows_stored(state);
    struct table_cursor cursor = { 0 };
    for (const struct entry *entry; (entry = table_next(&state->columns[0].table, &cursor)) != NULL;)
        rows += state_rows_of(state, entry);
    return rows;
}
