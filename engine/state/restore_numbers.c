/*
 * Rows of numbers under short keys into their table, a block at a time. Where rows
 * come in the order of their entries they go along the trail; else the whole block is
 * hashed, then its buckets are fetched, then its entries, and only then looked at: so
 * many waits for memory at once take little longer than one.
 */
#include "state/keyed_state_internal.h"

#include "base/error.h"
#include "base/hash.h"
#include "state/payload.h"
#include "state/row_numbers.h"

#define BLOCK_ROWS 256
#define ROWS_AHEAD 16

struct block {
    struct state_column *home;
    bool keys;                  /* `home` is that of the keys */
    uint32_t count;             /* rows of this subtask's key groups, */
    uint32_t taken;             /* of so many that were read */
    struct number_row rows[BLOCK_ROWS];
    uint64_t hashes[BLOCK_ROWS];
    struct entry *candidates[BLOCK_ROWS]; /* what their buckets lead to, or NULL */
};

static void block_read(const struct keyed_state *state, struct slice *rows, struct block *block)
{
    block->count = 0;
    for (block->taken = 0; block->taken < BLOCK_ROWS; block->taken++) {
        struct number_row *row = &block->rows[block->count];
        if (!number_row_read(rows, &block->home->layout, row))
            break;
        block->count += row->group >= state->config.group_first && row->group <= state->config.group_last;
    }
}

/* In place of what the entry holds. */
static void numbers_put(struct keyed_state *state, const struct state_column *home, struct entry *entry, const struct number_row *row)
{
    uint32_t slots = home->layout.slots;
    bool payloads = false;
    for (uint32_t i = 0; i < slots; i++)
        payloads = payloads || slot_has_payload(&entry->slots[i]);
    if (payloads)
        state_slots_clear(state, home, entry);
    for (uint32_t i = 0; i < slots; i++)
        entry->slots[i] = (row->set >> i & 1) != 0 ? cell_of_number(row->numbers[i]) : (struct cell){ .tag = CELL_ABSENT };
    entry->flags |= ENTRY_UNSTORED | ENTRY_DURABLE;
}

static int refuse_group(const struct number_row *row)
{
    return error_set(ERROR_CORRUPT, "state row: its key is not of key group %u", row->group);
}

/* Rows from `first` on, up to a stray: its place in the block, or negative. */
static int restore_along(struct keyed_state *state, struct block *block, uint32_t first)
{
    struct state_column *home = block->home;
    for (uint32_t i = first; i < block->count; i++) {
        const struct number_row *row = &block->rows[i];
        struct entry *entry = row_trail_follow(&home->trail, &home->table, (const char *)row->key, row->key_bytes);
        if (entry == NULL)
            return (int)i;
        if (block->keys && entry->group != row->group)
            return refuse_group(row);
        numbers_put(state, home, entry, row);
    }
    return (int)block->count;
}

static struct entry *entry_by_index(struct state_column *home, const struct block *block, uint32_t i)
{
    const struct number_row *row = &block->rows[i];
    struct entry *entry = block->candidates[i];
    home->trail.fresh = false;
    if (entry == NULL || !entry_has_key(entry, (const char *)row->key, row->key_bytes))
        entry = table_find_or_make(&home->table, (const char *)row->key, row->key_bytes, block->hashes[i], row->group, &home->trail.fresh);
    if (!home->trail.fresh)
        row_trail_lay(&home->trail, &home->table, entry);
    return entry;
}

static int restore_indexed(struct keyed_state *state, struct block *block, uint32_t i)
{
    struct state_column *home = block->home;
    const struct number_row *row = &block->rows[i];
    const char *key = (const char *)row->key;
    if (block->keys && state_group(state, slice_of(key, row->key_bytes), block->hashes[i]) != row->group)
        return refuse_group(row);
    struct entry *entry = row_trail_follow(&home->trail, &home->table, key, row->key_bytes);
    numbers_put(state, home, entry != NULL ? entry : entry_by_index(home, block, i), row);
    return 0;
}

/* Rows of the block from `first` on: one's bucket is fetched while that of another, some rows behind it, is read, and the entry of a third. */
static int restore_at_random(struct keyed_state *state, struct block *block, uint32_t first, uint32_t end)
{
    const struct table *table = &block->home->table;
    int status = 0;
    for (uint32_t i = first; i < end + 2 * ROWS_AHEAD && status == 0; i++) {
        if (i < end) {
            block->hashes[i] = hash_bytes(block->rows[i].key, block->rows[i].key_bytes);
            table_prefetch_bucket(table, block->hashes[i]);
        }
        if (i >= first + ROWS_AHEAD && i < end + ROWS_AHEAD)
            block->candidates[i - ROWS_AHEAD] = block->home->trail.fresh ? NULL : table_prefetch_entry(table, block->hashes[i - ROWS_AHEAD]);
        if (i >= first + 2 * ROWS_AHEAD)
            status = restore_indexed(state, block, i - 2 * ROWS_AHEAD);
    }
    return status;
}

static int block_restore(struct keyed_state *state, struct block *block)
{
    int status = 0;
    for (uint32_t i = 0; i < block->count && status >= 0;) {
        bool sure = row_trail_is_sure(&block->home->trail);
        if (sure && (status = restore_along(state, block, i)) >= 0)
            i = (uint32_t)status;
        uint32_t end = sure && i < block->count ? i + 1 : block->count; /* one stray, or all that are left */
        if (status >= 0)
            status = restore_at_random(state, block, i, end);
        i = end;
    }
    table_settle(&block->home->table);
    return status < 0 ? status : 0;
}

int state_restore_numbers(struct keyed_state *state, struct slice *rows)
{
    struct block block;
    uint32_t column;
    if (rows->bytes < NUMBER_ROW_ROOM)
        return 0;
    const uint8_t *row = (const uint8_t *)rows->data;
    block.home = state_column_of(state, (uint16_t)(row[3] << 8 | row[4]), &column);
    if (block.home == NULL)
        return 0;
    block.keys = column == 0;
    int status = 0, any = 0;
    do {
        if (state->restore_below)
            break; /* not every row has a place in the cache any more */
        block_read(state, rows, &block);
        status = block_restore(state, &block);
        state_restored(state, block.taken);
        any |= block.taken > 0;
    } while (status == 0 && block.taken == BLOCK_ROWS);
    return status < 0 ? status : any;
}
