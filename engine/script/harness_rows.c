/*
 * Where nothing was ever evicted, a base of each state is all there is. Where the
 * store is open, the base goes into it, and the store is all there is.
 */
#include "script/harness_rows.h"

#include "base/error.h"

static int base_write(struct keyed_state *state, bool into_store)
{
    keyed_state_base_begin(state, into_store);
    int status = 0;
    while (status == 0)
        status = keyed_state_base_step(state, UINT32_MAX);
    return status < 0 ? status : 0;
}

static int store_append(struct store *store, struct buffer *rows)
{
    struct store_iterator *iterator = store_iterate(store, slice_of("", 0));
    for (; store_iterator_valid(iterator); store_iterator_next(iterator)) {
        struct slice key = store_iterator_key(iterator), value = store_iterator_value(iterator);
        varint_write(rows, key.bytes);
        buffer_append_slice(rows, key);
        varint_write(rows, value.bytes + 1);
        buffer_append_slice(rows, value);
    }
    return store_iterator_close(iterator);
}

int harness_rows_gather(const struct plan *plan, struct worker *worker, struct backend *backend, struct buffer *rows)
{
    struct store *store = backend_store_opened(backend);
    int status = 0;
    for (uint32_t i = 0; i < plan->count && status == 0; i++) {
        struct keyed_state *state = by_hand_state(worker, i);
        status = state == NULL ? 0 : base_write(state, store != NULL);
    }
    return status < 0 || store == NULL ? status : store_append(store, rows);
}

int64_t harness_rows_cached(const struct plan *plan, const struct worker *worker)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct keyed_state *state = by_hand_state(worker, i);
        count += state == NULL ? 0 : (int64_t)keyed_state_rows(state);
    }
    return count;
}

static void output_nothing(void *self, struct state_buffer *buffer)
{
    (void)self;
    state_buffer_free(buffer);
}

/* A state of its own, in memory, is filled from the rows and counted: one place knows what counts. */
static int64_t step_count(const struct plan *plan, const struct step *step, uint32_t subtask, bool panes, struct backend *memory, struct slice rows)
{
    struct keyed_state_config config;
    plan_state_config(plan, step, subtask, panes, &config);
    config.epoch = 1;
    config.backend = memory;
    config.output = (struct state_output){ output_nothing, NULL };
    struct keyed_state *state = keyed_state_new(&config);
    keyed_state_restore_begin(state, false);
    int status = keyed_state_restore_rows(state, rows);
    if (status == 0)
        status = keyed_state_restore_done(state);
    int64_t count = status < 0 ? status : (int64_t)keyed_state_rows(state);
    keyed_state_free(state);
    return count;
}

int64_t harness_rows_count(const struct plan *plan, uint32_t subtask, struct slice rows)
{
    struct backend *memory = backend_new(&(struct backend_config){ .directory = NULL, .memory_bytes = 1 });
    int64_t count = 0;
    for (uint32_t i = 0; i < plan->count && count >= 0; i++) {
        for (int panes = 0; panes < 2 && count >= 0; panes++) {
            bool has = panes ? plan->steps[i].pane_state_count > 0 : plan->steps[i].keyed;
            int64_t step = has ? step_count(plan, &plan->steps[i], subtask, panes, memory, rows) : 0;
            count = step < 0 ? step : count + step;
        }
    }
    backend_free(memory);
    return count;
}
