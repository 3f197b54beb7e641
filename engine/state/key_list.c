#include "state/key_list.h"

#include "base/hash.h"
#include "base/memory.h"
#include "state/keyed_state_internal.h"
#include "state/payload.h"

#include <stdlib.h>

void key_list_init(struct key_list *list)
{
    *list = (struct key_list){ 0 };
    buffer_init(&list->bytes);
}

void key_list_deinit(struct key_list *list)
{
    buffer_deinit(&list->bytes);
    free(list->ends);
    free(list->keys);
}

static void add(struct key_list *list, struct slice key)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 256;
        list->ends = memory_resize(list->ends, list->capacity * sizeof list->ends[0]);
    }
    buffer_append_slice(&list->bytes, key);
    list->ends[list->count++] = list->bytes.bytes;
}

static bool has_rows(const struct entry *entry, uint32_t slot)
{
    const struct cell *cell = &entry->slots[slot];
    bool counted = cell->tag == SLOT_MAP || cell->tag == SLOT_MAP_PARTIAL || cell->tag == SLOT_LIST;
    return cell->tag != CELL_ABSENT && (!counted || cell->length > 0);
}

static bool is_cached(struct keyed_state *state, struct slice key)
{
    buffer_clear(&state->scratch);
    buffer_append_slice(&state->scratch, key);
    memset(buffer_reserve(&state->scratch, ENTRY_KEY_INLINED_MAX), 0, ENTRY_KEY_INLINED_MAX);
    return table_find(&state->columns[0].table, state->scratch.data, (uint32_t)key.bytes, hash_bytes(key.data, key.bytes)) != NULL;
}

/* `entry` belongs to no table: it is filled from the row and emptied again. */
static int add_stored(struct key_list *list, struct keyed_state *state, uint32_t slot, struct slice key, struct slice row, struct entry *entry)
{
    const struct state_column *home = &state->columns[0];
    if (is_cached(state, key))
        return 0;
    memset(entry, 0, home->table.entry_bytes);
    int status = row_read_value(row, &home->layout, entry);
    if (status == 0 && has_rows(entry, slot))
        add(list, key);
    for (uint32_t i = 0; i < home->layout.slots; i++) {
        if (slot_has_payload(&entry->slots[i]))
            payload_free(entry->slots[i].payload);
    }
    return status;
}

static int fill_from_store(struct key_list *list, struct keyed_state *state, uint32_t slot)
{
    const struct state_column *home = &state->columns[0];
    struct store *store = home->stored ? backend_store_opened(state->config.backend) : NULL;
    if (store == NULL)
        return 0;
    struct entry *entry = memory_new(home->table.entry_bytes);
    uint16_t column = home->layout.column;
    int status = 0;
    for (uint32_t group = state->config.group_first; group <= state->config.group_last && status == 0; group++) {
        char prefix[ROW_KEY_PREFIX_BYTES] = { (char)(group >> 8), (char)group, (char)(column >> 8), (char)column };
        struct store_iterator *rows = store_iterate(store, slice_of(prefix, sizeof prefix));
        for (; status == 0 && store_iterator_valid(rows); store_iterator_next(rows)) {
            struct slice key = store_iterator_key(rows);
            key = slice_of(key.data + ROW_KEY_PREFIX_BYTES, key.bytes - ROW_KEY_PREFIX_BYTES);
            status = add_stored(list, state, slot, key, store_iterator_value(rows), entry);
        }
        int closed = store_iterator_close(rows);
        status = status < 0 ? status : closed;
    }
    free(entry);
    return status;
}

static int compare(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

int key_list_fill(struct key_list *list, struct keyed_state *state, uint32_t slot)
{
    struct table_cursor cursor = { 0 };
    for (const struct entry *entry; (entry = table_next(&state->columns[0].table, &cursor)) != NULL;) {
        if (has_rows(entry, slot))
            add(list, slice_of(entry_key(entry), entry->key_bytes));
    }
    int status = fill_from_store(list, state, slot);
    if (status < 0)
        return status;
    list->keys = memory_new((list->count + (size_t)1) * sizeof list->keys[0]);
    for (uint32_t i = 0; i < list->count; i++) {
        size_t start = i == 0 ? 0 : list->ends[i - 1];
        list->keys[i] = slice_of(list->bytes.data + start, list->ends[i] - start);
    }
    qsort(list->keys, list->count, sizeof list->keys[0], compare);
    return 0;
}
