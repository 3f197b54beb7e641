/*
 * Rows into tables. A base, and a delta of much of a table, have their rows in the
 * order of the entries (epoch.c). The base's rows make entries in that order, so the
 * rows of such a delta come along them: each is looked for a few entries behind the
 * one before (its trail), and the index, where every row is a cache miss, is asked
 * only for strays. All other rows go through two windows: one is read while the
 * buckets of the other come, so that cache misses overlap.
 *
 * When the cache has taken its share of memory, it stays as it is: the rows of keys
 * that it does not have go straight to the store, in files as large as the store's
 * part of memory. Rows that were put into the cache only to be evicted from it would
 * reach the store in a great many small files, to be merged again and again.
 */
#include "state/keyed_state_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "state/payload.h"

#define ROWS_AHEAD 16
#define ACCOUNT_EACH_ROWS 1024
#define WAITING_ROW_BYTES 64 /* of a row that waits to be sorted, beside its own */
/* Rows that are none of restore_numbers.c, before that is asked again: behind one that it took there may be more. */
#define OTHERS_BEHIND_NUMBERS 1
#define OTHERS 1024

/* ---- One row ---- */

struct state_column *state_column_of(struct keyed_state *state, uint16_t id, uint32_t *column)
{
    for (uint32_t c = 0; c < state->column_count; c++) {
        if (state->columns[c].layout.column == id) {
            *column = c;
            return &state->columns[c];
        }
    }
    return NULL;
}

void state_slots_clear(struct keyed_state *state, const struct state_column *home, struct entry *entry)
{
    for (uint32_t i = 0; i < home->layout.slots; i++) {
        struct cell *slot = &entry->slots[i];
        if (row_slot_takes_payload(&home->layout.slot[i]) && slot_has_payload(slot)) {
            state->payload_bytes -= payload_bytes(slot);
            payload_free(slot->payload);
        }
        *slot = (struct cell){ .tag = CELL_ABSENT };
    }
}

/* A row on its way into its table. */
struct arriving_row {
    struct row row;
    struct state_column *home;
    uint32_t column;
    bool hashed;
    uint64_t hash;
    char key[ENTRY_KEY_INLINED_MAX]; /* of a short one, zero-padded: as the table wants it */
};

/* Whole words: bytes written one by one could not be read as words for a while. */
static void key_pad(const char *key, size_t bytes, char padded[ENTRY_KEY_INLINED_MAX])
{
    uint64_t words[2] = { 0, 0 };
    if (bytes > 8) {
        memcpy(&words[0], key, 8);
        memcpy(&words[1], key + bytes - 8, 8);
        words[1] >>= 8 * (16 - bytes);
    } else if (bytes >= 4) {
        uint32_t first, last;
        memcpy(&first, key, 4);
        memcpy(&last, key + bytes - 4, 4);
        words[0] = first | (uint64_t)last << (8 * (bytes - 4));
    } else {
        for (size_t i = 0; i < bytes; i++)
            words[0] |= (uint64_t)(uint8_t)key[i] << (8 * i);
    }
    memcpy(padded, words, sizeof words);
}

/* False: the row is another subtask's, or of a state that is no more. */
static bool arrive(struct keyed_state *state, struct arriving_row *arriving)
{
    const struct row *row = &arriving->row;
    arriving->home = state_column_of(state, row->column, &arriving->column);
    arriving->hashed = false;
    if (arriving->home == NULL || row->group < state->config.group_first || row->group > state->config.group_last)
        return false;
    if (row->key.bytes <= ENTRY_KEY_INLINED_MAX)
        key_pad(row->key.data, row->key.bytes, arriving->key);
    return true;
}

static void hash_key(struct arriving_row *arriving)
{
    arriving->hash = hash_bytes(arriving->row.key.data, arriving->row.key.bytes);
    arriving->hashed = true;
}

static const char *padded_key(const struct arriving_row *arriving)
{
    return arriving->row.key.bytes <= ENTRY_KEY_INLINED_MAX ? arriving->key : arriving->row.key.data;
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

/* 1: there was an entry; 0: it was made, or there is none and the row has gone below. */
static int find_or_make(struct keyed_state *state, struct arriving_row *arriving, struct entry **entry)
{
    const struct row *row = &arriving->row;
    struct state_column *home = arriving->home;
    if (!arriving->hashed)
        hash_key(arriving);
    if (arriving->column == 0 && state_group(state, row->key, arriving->hash) != row->group)
        return error_set(ERROR_CORRUPT, "state row: its key is not of key group %u", row->group);
    if (state->restore_below && table_find(&home->table, padded_key(arriving), (uint32_t)row->key.bytes, arriving->hash) == NULL)
        return restore_below(state, row);
    bool made;
    *entry = table_find_or_make(&home->table, padded_key(arriving), (uint32_t)row->key.bytes, arriving->hash, row->group, &made);
    home->trail.fresh = made;
    if (made)
        return 0;
    row_trail_lay(&home->trail, &home->table, *entry);
    return 1;
}

static int entry_of(struct keyed_state *state, struct arriving_row *arriving, struct entry **entry)
{
    *entry = row_trail_follow(&arriving->home->trail, &arriving->home->table, padded_key(arriving), (uint32_t)arriving->row.key.bytes);
    if (*entry == NULL)
        return find_or_make(state, arriving, entry);
    if (arriving->column == 0 && (*entry)->group != arriving->row.group)
        return error_set(ERROR_CORRUPT, "state row: its key is not of key group %u", arriving->row.group);
    return 1;
}

static int restore_row(struct keyed_state *state, struct arriving_row *arriving)
{
    const struct row *row = &arriving->row;
    struct state_column *home = arriving->home;
    struct entry *entry;
    int status = entry_of(state, arriving, &entry);
    if (status < 0 || entry == NULL)
        return status;
    if (status == 1)
        state_slots_clear(state, home, entry);
    entry->flags |= ENTRY_UNSTORED | ENTRY_DURABLE;
    if (row->removed) {
        if (!home->stored)
            state_drop(state, arriving->column, entry);
        return 0; /* else it stays, empty, until its removal reaches the store */
    }
    status = row_read_value(row->value, &home->layout, entry);
    state_slots_filled(state, home, entry);
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
    struct arriving_row arriving;
    arriving.row = *row;
    int status = arrive(state, &arriving) ? restore_row(state, &arriving) : 0;
    table_settle(&arriving.home->table);
    return status;
}

static void tables_settle(struct keyed_state *state)
{
    for (uint32_t c = 0; c < state->column_count; c++)
        table_settle(&state->columns[c].table);
}

/* ---- Windows ---- */

struct window { struct arriving_row rows[ROWS_AHEAD]; uint32_t count; };

/* The next rows, their buckets on the way. */
static int window_read(struct keyed_state *state, struct slice *rows, struct window *window)
{
    window->count = 0;
    for (uint32_t taken = 0; taken < ROWS_AHEAD && rows->bytes > 0; taken++) {
        struct arriving_row *arriving = &window->rows[window->count];
        int status = row_read(rows, &arriving->row);
        if (status < 0)
            return status;
        if (arrive(state, arriving)) {
            hash_key(arriving);
            table_prefetch_bucket(&arriving->home->table, arriving->hash);
            window->count++;
        }
        if (arriving->home == NULL && (status = state_parts_restore_row(state, &arriving->row)) < 0)
            return status;
    }
    return 0;
}

static int window_restore(struct keyed_state *state, struct window *window)
{
    for (uint32_t i = 0; i < window->count; i++) {
        const struct state_column *home = window->rows[i].home;
        if (!home->trail.fresh)
            table_prefetch_entry(&home->table, window->rows[i].hash);
    }
    int status = 0;
    for (uint32_t i = 0; i < window->count && status == 0; i++)
        status = restore_row(state, &window->rows[i]);
    tables_settle(state);
    return status;
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

void state_restored(struct keyed_state *state, uint32_t rows)
{
    state->restored += rows;
    if (state->restored < ACCOUNT_EACH_ROWS)
        return;
    state->restored = 0;
    make_room(state);
}

static bool is_sure(const struct keyed_state *state)
{
    return row_trail_is_sure(&state->columns[0].trail);
}

/* Until the rows end, or so many have been taken, or a trail is better by now. */
static int restore_in_windows(struct keyed_state *state, struct slice *rows, uint32_t most)
{
    struct window windows[2];
    int status = window_read(state, rows, &windows[0]);
    bool last = false;
    for (uint32_t turn = 0; status == 0 && !last; turn++) {
        last = rows->bytes == 0 || (turn + 1) * ROWS_AHEAD >= most || is_sure(state);
        if (!last)
            status = window_read(state, rows, &windows[(turn + 1) % 2]);
        if (status == 0)
            status = window_restore(state, &windows[turn % 2]);
        state_restored(state, ROWS_AHEAD);
    }
    return status;
}

/* ---- One by one, along a trail or where there is one only ---- */

static int restore_next(struct keyed_state *state, struct slice *rows)
{
    struct arriving_row arriving;
    int status = row_read(rows, &arriving.row);
    if (status < 0)
        return status;
    if (arrive(state, &arriving))
        return restore_row(state, &arriving);
    return arriving.home == NULL ? state_parts_restore_row(state, &arriving.row) : 0;
}

static int restore_along(struct keyed_state *state, struct slice *rows, uint32_t most)
{
    int status = 0;
    do {
        status = restore_next(state, rows);
        state_restored(state, 1);
    } while (status == 0 && rows->bytes > 0 && --most > 0 && is_sure(state));
    tables_settle(state);
    return status;
}

static int restore_others(struct keyed_state *state, struct slice *rows, uint32_t most)
{
    return most == 1 || is_sure(state) ? restore_along(state, rows, most) : restore_in_windows(state, rows, most);
}

int keyed_state_restore_rows(struct keyed_state *state, struct slice rows)
{
    int status = 0;
    while (status >= 0 && rows.bytes > 0) {
        int numbers = status = state_restore_numbers(state, &rows);
        if (status >= 0 && rows.bytes > 0)
            status = restore_others(state, &rows, numbers > 0 ? OTHERS_BEHIND_NUMBERS : OTHERS);
    }
    return status < 0 ? status : state->failure;
}
