/*
 * One snapshot format for both backends: where a base is a store's own files and
 * the state has no store, its rows are read and put into the cache as if they had
 * come from a file of rows.
 */
#include "state/keyed_state_internal.h"

#define BATCH_BYTES (1u << 20)

static void row_append(struct buffer *rows, struct slice key, struct slice value)
{
    varint_write(rows, key.bytes);
    buffer_append_slice(rows, key);
    varint_write(rows, value.bytes + 1);
    buffer_append_slice(rows, value);
}

static int take_rows(struct keyed_state *state, struct buffer *rows)
{
    int status = rows->bytes == 0 ? 0 : keyed_state_restore_rows(state, buffer_slice(rows));
    buffer_clear(rows);
    return status;
}

static int restore_group(struct keyed_state *state, struct store *store, uint32_t group, struct buffer *rows)
{
    char prefix[] = { (char)(group >> 8), (char)group };
    struct store_iterator *iterator = store_iterate(store, slice_of(prefix, sizeof prefix));
    int status = 0;
    for (; status == 0 && store_iterator_valid(iterator); store_iterator_next(iterator)) {
        row_append(rows, store_iterator_key(iterator), store_iterator_value(iterator));
        if (rows->bytes >= BATCH_BYTES)
            status = take_rows(state, rows);
    }
    int closed = store_iterator_close(iterator);
    return status < 0 ? status : closed;
}

int keyed_state_restore_base(struct keyed_state *state)
{
    struct store *store;
    int status = backend_base(state->config.backend, &store);
    if (status < 0 || store == NULL)
        return status;
    struct buffer rows;
    buffer_init(&rows);
    for (uint32_t group = state->config.group_first; group <= state->config.group_last && status == 0; group++)
        status = restore_group(state, store, group, &rows);
    if (status == 0)
        status = take_rows(state, &rows);
    buffer_deinit(&rows);
    return status;
}
