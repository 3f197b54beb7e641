/*
 * Sweeping: dirty entries become rows in buffers, a slice at a time, so that a
 * barrier costs the worker nothing at once. The same for a base, which walks all
 * entries. Buffers of about a megabyte go to the output, which writes them from
 * another thread.
 */
#include "state/keyed_state_internal.h"

#include "base/fetch.h"
#include "base/memory.h"
#include "state/row_numbers.h"
#include "state/table_stamped.h"
#include "state/walker.h"

#define PREFETCH_AHEAD 12
#define LIST_ROOM_MIN 1024
#define STORE_WRITE_ROWS 32768 /* the store takes as many as one sorted file */
/* From one dirty in this many places on all are looked at, in the order of memory: next to a wait for each that is listed, that is no work to speak of. */
#define WALK_SHARE 8
#define LOOKED_PER_SWEPT 4

static struct state_buffer head_of(const struct keyed_state *state, uint64_t epoch, bool dump)
{
    const struct keyed_state_config *config = &state->config;
    return (struct state_buffer){ .epoch = epoch, .subtask = config->subtask, .group_first = config->group_first, .group_last = config->group_last, .dump = dump };
}

static struct state_buffer *buffer_of(struct keyed_state *state, struct state_buffer **buffer, uint64_t epoch)
{
    if (*buffer == NULL) {
        struct state_buffer head = head_of(state, epoch, buffer == &state->dump_buffer);
        *buffer = state_buffer_new(&head);
    }
    return *buffer;
}

void state_flush_buffer(struct keyed_state *state, struct state_buffer **buffer)
{
    if (*buffer == NULL)
        return;
    struct state_buffer *full = *buffer;
    *buffer = NULL;
    if (full->rows.bytes == 0)
        state_buffer_free(full);
    else
        state->config.output.take(state->config.output.self, full);
}

/* A row that nobody has ever written down, and that is gone again, needs no tombstone. */
static bool needs_row(const struct keyed_state *state, const struct row_layout *layout, const struct entry *entry)
{
    return (entry->flags & ENTRY_DURABLE) || state->base_running || !row_is_empty(layout, entry);
}

void state_sweep_entry(struct keyed_state *state, struct state_buffer **buffer, uint64_t epoch, uint32_t column, struct entry *entry)
{
    const struct row_layout *layout = &state->columns[column].layout;
    entry->dirty_epoch = 0;
    if (!needs_row(state, layout, entry))
        return;
    struct state_buffer *target = buffer_of(state, buffer, epoch);
    row_write(&target->rows, layout, entry);
    entry->flags |= ENTRY_DURABLE;
    if (target->rows.bytes >= STATE_BUFFER_BYTES)
        state_flush_buffer(state, buffer);
}

/* A row that is gone leaves the cache once its tombstone is written, unless the store must be told as well (eviction does). */
static void drop_if_gone(struct keyed_state *state, uint32_t column, struct entry *entry)
{
    struct state_column *home = &state->columns[column];
    if (home->stored || !row_is_empty(&home->layout, entry))
        return;
    if (column > 0 || !map_has_children(state, entry))
        state_drop(state, column, entry);
}

void state_sweep_list(struct keyed_state *state, struct dirty_list *list, uint64_t epoch, struct state_buffer **buffer, uint32_t entries)
{
    uint32_t wanted = (uint32_t)epoch;
    while (entries-- > 0 && list->next < list->count) {
        if (list->next + PREFETCH_AHEAD < list->count) {
            char *ahead = (char *)item_entry(list->items[list->next + PREFETCH_AHEAD]);
            fetch_line(ahead);
            fetch_line(ahead + 47); /* most entries straddle two lines or end in the second */
        }
        uint64_t item = list->items[list->next++];
        struct entry *entry = item_entry(item);
        uint32_t column = item_column(item);
        if (entry->dirty_epoch != wanted)
            continue; /* handed over, swept early, or its place was given to another key */
        state_sweep_entry(state, buffer, epoch, column, entry);
        drop_if_gone(state, column, entry);
    }
    if (list->next == list->count)
        list->next = list->count = 0;
}

bool state_swept(const struct keyed_state *state)
{
    return !state->frozen_walk && state->frozen.count == 0 && state->frozen_buffer == NULL && state->handed_buffer == NULL;
}

static uint64_t places_of(const struct keyed_state *state)
{
    uint64_t places = 0;
    for (uint32_t c = 0; c < state->column_count; c++)
        places += table_places(&state->columns[c].table);
    return places;
}

/* By the walker, where it is for tables of this size and could write their rows. */
static void walk_aside_begin(struct keyed_state *state, uint64_t places)
{
    const struct state_column *keys = &state->columns[0];
    uint64_t least = backend_walked_places(state->config.backend);
    state->walk_aside = least > 0 && places >= least && !state->walk_left_many && state->column_count == 1 &&
                        keys->table.slots <= WALKER_SLOTS_MAX && row_may_be_numbers(&keys->layout);
    if (!state->walk_aside)
        return;
    if (state->walker == NULL)
        state->walker = walker_new();
    struct walk_order order = { .table = &keys->table, .layout = &keys->layout, .head = head_of(state, state->frozen_epoch, false) };
    walker_begin(state->walker, &order);
}

/* What the walker has written goes to the output; what it could not write becomes the list of what is frozen. */
static void walk_aside(struct keyed_state *state, bool wait)
{
    if (wait)
        walker_wait(state->walker);
    bool done = walker_is_done(state->walker);
    for (struct state_buffer *buffer = walker_take(state->walker), *next; buffer != NULL; buffer = next) {
        next = buffer->next;
        state->config.output.take(state->config.output.self, buffer);
    }
    if (!done)
        return;
    uint64_t rows;
    size_t count;
    struct entry *const *left = walker_left(state->walker, &count, &rows);
    dirty_list_reserve(&state->frozen, count);
    for (size_t i = 0; i < count; i++)
        state->frozen.items[i] = dirty_item(0, left[i]);
    state->frozen.count = count;
    state->walk_left_many = count > rows;
    state->frozen_walk = false;
}

/*
 * The list of what is dirty has it in the order of its first writes: at random. Where
 * there is much of it, it is found by its stamps, page by page. Rows in the order of their
 * entries are also restored in it: see restore_rows.c.
 */
static void walk_begin(struct keyed_state *state, uint64_t places)
{
    state->frozen_walk = true;
    state->frozen.next = state->frozen.count = 0;
    walk_aside_begin(state, places);
    state->walk_column = 0;
    state->walk_cursor = (struct table_cursor){ 0 };
    /* What was swept early must not come after rows that are handed over. */
    state_flush_buffer(state, &state->frozen_buffer);
}

/* Frozen entries, up to the first whose row is not one of numbers: those are written many at once. */
static uint32_t sweep_numbers(struct keyed_state *state, struct state_buffer **buffer, uint32_t column, struct entry **entries, uint32_t count)
{
    struct state_buffer *target = buffer_of(state, buffer, state->frozen_epoch);
    uint32_t written = row_write_numbers(&target->rows, &state->columns[column].layout, entries, count);
    for (uint32_t i = 0; i < written; i++) {
        entries[i]->dirty_epoch = 0;
        entries[i]->flags |= ENTRY_DURABLE;
    }
    if (target->rows.bytes >= STATE_BUFFER_BYTES)
        state_flush_buffer(state, buffer);
    return written;
}

static void sweep_found(struct keyed_state *state, uint32_t column, struct entry **entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        i += sweep_numbers(state, &state->frozen_buffer, column, entries + i, count - i);
        if (i == count)
            return;
        state_sweep_entry(state, &state->frozen_buffer, state->frozen_epoch, column, entries[i]);
        drop_if_gone(state, column, entries[i]);
    }
}

static void walk(struct keyed_state *state, uint32_t entries)
{
    uint64_t places = (uint64_t)entries * LOOKED_PER_SWEPT;
    struct entry *found[STAMPED_MAX];
    while (state->walk_column < state->column_count && places > 0 && entries > 0) {
        struct table *table = &state->columns[state->walk_column].table;
        uint32_t count = table_next_stamped(table, &state->walk_cursor, (uint32_t)state->frozen_epoch, found, &places);
        sweep_found(state, state->walk_column, found, count);
        entries -= count < entries ? count : entries;
        if (count == 0 && places > 0) {
            state->walk_column++;
            state->walk_cursor = (struct table_cursor){ 0 };
        }
    }
    state->frozen_walk = state->walk_column < state->column_count;
}

bool state_sweep(struct keyed_state *state, uint32_t entries)
{
    if (state->frozen_walk && state->walk_aside)
        walk_aside(state, entries == UINT32_MAX);
    else if (state->frozen_walk)
        walk(state, entries);
    if (!state->frozen_walk)
        state_sweep_list(state, &state->frozen, state->frozen_epoch, &state->frozen_buffer, entries);
    if (state->frozen_walk || state->frozen.count > 0)
        return false;
    state_flush_buffer(state, &state->frozen_buffer);
    state_flush_buffer(state, &state->handed_buffer);
    state->frozen_epoch = 0; /* stamps of it that are left say nothing any more */
    return true;
}

/* An empty list for an epoch like the one that ended: the room that one large epoch once took is memory that rows could have. */
static struct dirty_list list_for(struct dirty_list empty, size_t count)
{
    size_t wanted = count + LIST_ROOM_MIN;
    if (empty.capacity > 2 * wanted) {
        empty.items = memory_resize(empty.items, wanted * sizeof empty.items[0]);
        empty.capacity = wanted;
    }
    return empty;
}

void state_hand_over(struct keyed_state *state, uint32_t column, struct entry **entries, uint32_t count)
{
    struct state_buffer **buffer = state->frozen_walk ? &state->handed_buffer : &state->frozen_buffer;
    for (uint32_t i = 0; i < count; i++) {
        i += sweep_numbers(state, buffer, column, entries + i, count - i);
        if (i < count && frozen_unswept(state, entries[i]))
            state_sweep_entry(state, buffer, state->frozen_epoch, column, entries[i]);
    }
}

void state_freeze(struct keyed_state *state, uint64_t checkpoint)
{
    while (!state_sweep(state, UINT32_MAX))
        continue;
    struct dirty_list empty = list_for(state->frozen, state->dirty.count);
    state->frozen = state->dirty;
    state->dirty = empty;
    state->frozen_epoch = state->epoch;
    state->frozen_buffer = state->dirty_buffer; /* what was swept early belongs to the same epoch */
    state->dirty_buffer = NULL;
    if (state->frozen_buffer != NULL && state->frozen_buffer->rows.bytes == 0)
        state_flush_buffer(state, &state->frozen_buffer);
    uint64_t places = places_of(state);
    if (state->frozen.count > 0 && state->frozen.count * WALK_SHARE >= places)
        walk_begin(state, places);
    state->epoch = (checkpoint > state->epoch ? checkpoint : state->epoch) + 1;
    state->view.epoch = (uint32_t)state->epoch;
    state->ahead.few = false;
}

bool state_stored(const struct keyed_state *state)
{
    for (uint32_t c = 0; c < state->column_count; c++) {
        if (state->columns[c].stored)
            return true;
    }
    return false;
}

void state_base_begin(struct keyed_state *state, bool into_store)
{
    state->base_running = true;
    state->base_into_store = into_store;
    state->base_column = 0;
    state->base_cursor = (struct table_cursor){ 0 };
}

void state_dump_entry(struct keyed_state *state, uint32_t column, struct entry *entry)
{
    const struct row_layout *layout = &state->columns[column].layout;
    if (row_is_empty(layout, entry))
        return;
    struct state_buffer *target = buffer_of(state, &state->dump_buffer, state->epoch);
    row_write(&target->rows, layout, entry);
    entry->flags |= ENTRY_DURABLE;
    if (target->rows.bytes >= STATE_BUFFER_BYTES)
        state_flush_buffer(state, &state->dump_buffer);
}

/* Where rows live in the store as well, a base is the store: what is newer in the cache goes down. */
static int drain_entry(struct keyed_state *state, struct store *store, uint32_t column, struct entry *entry)
{
    if (!(entry->flags & ENTRY_UNSTORED))
        return 0;
    const struct row_layout *layout = &state->columns[column].layout;
    buffer_clear(&state->scratch);
    row_write_key(&state->scratch, layout, entry);
    size_t key_bytes = state->scratch.bytes;
    bool gone = row_is_empty(layout, entry);
    if (!gone)
        row_write_value(&state->scratch, layout, entry);
    struct slice key = slice_of(state->scratch.data, key_bytes);
    if (gone)
        store_write_remove(state->pending, key);
    else
        store_write_put(state->pending, key, slice_of(state->scratch.data + key_bytes, state->scratch.bytes - key_bytes));
    entry->flags |= ENTRY_DURABLE;
    if (!dirty_in_running_epoch(state, entry)) /* else its next write is a plain store, which sets no mark */
        entry->flags &= (uint16_t)~ENTRY_UNSTORED;
    state->columns[column].stored = true;
    return store_write_count(state->pending) < STORE_WRITE_ROWS ? 0 : store_write_apply(store, state->pending);
}

static int base_done(struct keyed_state *state, struct store *store)
{
    state_flush_buffer(state, &state->dump_buffer);
    int status = store == NULL ? 0 : store_write_apply(store, state->pending);
    if (status < 0)
        return status;
    backend_store_grew(state->config.backend);
    state->base_running = false;
    return 1;
}

int state_base_step(struct keyed_state *state, uint32_t entries)
{
    struct store *store = state->base_into_store ? backend_store_opened(state->config.backend) : NULL;
    while (state->base_column < state->column_count) {
        struct entry *entry = table_next(&state->columns[state->base_column].table, &state->base_cursor);
        if (entry == NULL) {
            state->base_column++;
            state->base_cursor = (struct table_cursor){ 0 };
            continue;
        }
        if (store == NULL)
            state_dump_entry(state, state->base_column, entry);
        int status = store == NULL ? 0 : drain_entry(state, store, state->base_column, entry);
        if (status < 0)
            return status;
        if (entries-- <= 1)
            return 0;
    }
    return base_done(state, store);
}
