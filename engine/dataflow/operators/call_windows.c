/*
 * Windows of a step whose work is in Lua. The panes of many records are composed and
 * resolved at once, like keys; those of sessions one by one, since a record may merge
 * what the next one finds.
 */
#include "dataflow/operators/call_step.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/batch_key.h"
#include "codec/key.h"
#include "codec/msgpack.h"
#include "base/clock.h"
#include "dataflow/operators/name_space.h"
#include "state/list_state.h"
#include "state/state_part.h"
#include "state/map_state.h"
#include "time/instant.h"

#include <stdlib.h>

struct window_step {
    struct call_windows shared;               /* what Lua sees */
    struct keyed_state *panes;
    struct batch *keys;                       /* of the panes, as records */
    struct entry *entries[BATCH_RECORDS_MAX];
    struct window windows[BATCH_RECORDS_MAX];
    struct entry *run_entries[BATCH_RECORDS_MAX];   /* of a run of timers */
    struct window run_windows[BATCH_RECORDS_MAX];
    int32_t first[BATCH_RECORDS_MAX + 1];
    uint8_t late[BATCH_RECORDS_MAX];
    int32_t replaced_count;                   /* state windows that are merged away: their panes are entries[1 ...] */
    struct buffer sessions;
    struct buffer key;
};

static struct window_step *window_step_of(const struct call *call)
{
    return call_step_of(call)->windows;
}

static const struct step_window *plan_window(const struct operator *op)
{
    return &op->step->window;
}

static struct operator *op_of(const struct call *call)
{
    return call->step_instance;
}

int call_windows_open(struct operator *op)
{
    struct call_step *self = op->self;
    const struct step *step = op->step;
    if (step->window.kind == 0)
        return 0;
    struct window_step *windows = memory_new_zeroed(1, sizeof *windows);
    struct keyed_state_config config;
    operator_state_config(op, true, &config);
    self->windows = windows;
    windows->panes = keyed_state_new(&config);
    keyed_state_attach_state(self->state, windows->panes);
    windows->keys = batch_take();
    windows->shared.shape = step->window.shape;
    buffer_init(&windows->sessions);
    buffer_init(&windows->key);
    struct call_windows *shared = &windows->shared;
    arena_init(&shared->panes.scratch);
    arena_grow(&shared->panes.scratch, 1024);
    shared->panes.state = windows->panes;
    shared->panes.view = keyed_state_view(windows->panes);
    shared->windows = windows->windows;
    shared->first = windows->first;
    shared->late = windows->late;
    shared->lateness = step->window.lateness;
    shared->domain = step->window.domain;
    op->call->windows = shared;
    return 0;
}

void call_windows_close(struct operator *op)
{
    struct window_step *windows = ((struct call_step *)op->self)->windows;
    if (windows == NULL)
        return;
    keyed_state_free(windows->panes);
    batch_drop(windows->keys);
    arena_deinit(&windows->shared.panes.scratch);
    buffer_deinit(&windows->sessions);
    buffer_deinit(&windows->key);
    free(windows);
    ((struct call_step *)op->self)->windows = NULL;
}

/* ---- Panes ---- */

static int pane_key(struct window_step *windows, int32_t pane, struct slice key, const struct window *window)
{
    buffer_clear(&windows->key);
    buffer_append_slice(&windows->key, key);
    name_space_write(&windows->key, window);
    windows->windows[pane] = *window;
    windows->keys->count = pane + 1;
    return batch_key_set(windows->keys, pane, windows->key.data, windows->key.bytes);
}

static void panes_clear(struct window_step *windows)
{
    batch_clear(windows->keys);
    windows->shared.panes.index = 0;
    windows->shared.panes.entries = windows->entries;
}

static int panes_resolve(struct window_step *windows, struct entry **entries)
{
    struct call *panes = &windows->shared.panes;
    panes->count = windows->keys->count;
    panes->keys = windows->keys->keys;
    panes->bytes = windows->keys->arena.bytes;
    return windows->keys->count == 0 ? 0 : keyed_state_resolve(windows->panes, windows->keys, entries);
}

static struct slice record_key(const struct call *call, int32_t record)
{
    return slice_of(call->bytes + call->keys[record].offset, call->keys[record].bytes);
}

/* The time by which a record is put into windows: its own, or the clock's. */
static int64_t record_time(const struct call *call, int32_t record, int64_t clock_ms)
{
    return plan_window(op_of(call))->domain == DOMAIN_EVENT ? call->times[record] : clock_ms;
}

static void record_is_late(const struct call *call, int32_t record)
{
    struct window_step *windows = window_step_of(call);
    const struct step_window *config = plan_window(op_of(call));
    bool event = config->domain == DOMAIN_EVENT;
    windows->late[record] = event && window_record_is_late(call->times[record], config->lateness, call->watermark) ? WINDOW_RECORD_LATE : WINDOW_RECORD_TAKEN;
}

static bool dropped_for(const struct call *call, const struct window *window)
{
    const struct step_window *config = plan_window(op_of(call));
    return config->domain == DOMAIN_EVENT && window_is_late(window, config->lateness, call->watermark);
}

/* The panes of one record, behind those that are there; negative: failed. */
static int compose_panes(const struct call *call, int32_t record, int64_t clock_ms)
{
    struct window_step *windows = window_step_of(call);
    int32_t before = windows->keys->count;
    struct window window = WINDOW_OF_ALL;
    windows->late[record] = WINDOW_RECORD_TAKEN;
    if (plan_window(op_of(call))->kind == WINDOW_GLOBAL)
        return pane_key(windows, before, record_key(call, record), &window);
    int64_t time = record_time(call, record, clock_ms);
    if (!time_is_stamp(time)) {
        windows->late[record] = WINDOW_RECORD_TIMELESS;
        return 0;
    }
    int status = 0;
    bool any = false;
    for (int has = window_last(&windows->shared.shape, time, &window); has > 0 && status == 0; has = window_previous(&windows->shared.shape, time, &window)) {
        any = true;
        if (!dropped_for(call, &window))
            status = pane_key(windows, windows->keys->count, record_key(call, record), &window);
    }
    if (any && windows->keys->count == before) /* in a gap between windows it is not late (S22) */
        record_is_late(call, record);
    return status;
}

/* The same; a key that is too long together with its window is an error of its record, which Lua raises. */
static int compose_record(const struct call *call, int32_t record, int64_t clock_ms)
{
    struct window_step *windows = window_step_of(call);
    int32_t before = windows->keys->count;
    int status = compose_panes(call, record, clock_ms);
    if (status != ERROR_TOO_LARGE)
        return status;
    windows->keys->count = before;
    windows->late[record] = WINDOW_RECORD_TOO_LONG;
    return 0;
}

static int32_t windows_per_record(const struct operator *op)
{
    const struct window_shape *shape = &plan_window(op)->shape;
    return plan_window(op)->kind == WINDOW_GLOBAL ? 1 : (int32_t)((shape->size + shape->slide - 1) / shape->slide);
}

static void stagger_draw(struct operator *op, struct window_step *windows, int64_t clock_ms)
{
    if (windows->shared.is_drawn)
        return;
    windows->shared.is_drawn = true;
    if (plan_window(op)->kind <= WINDOW_SLIDING && plan_window(op)->stagger != WINDOW_ALIGNED)
        window_shape_stagger(&windows->shared.shape, plan_window(op)->stagger, clock_ms, clock_monotonic_ns() * 0x9e3779b97f4a7c15u);
}

int call_windows_compose(struct operator *op, int32_t from, int32_t count)
{
    struct call *call = op->call;
    struct window_step *windows = window_step_of(call);
    int64_t clock_ms = call_processing_time(call);
    if (plan_window(op)->kind == WINDOW_SESSION) {
        windows->shared.clock_ms = clock_ms;
        return count;
    }
    stagger_draw(op, windows, clock_ms);
    panes_clear(windows);
    int32_t record = from, each = windows_per_record(op);
    for (; record < count && windows->keys->count + each <= BATCH_RECORDS_MAX; record++) {
        windows->first[record] = windows->keys->count;
        int status = compose_record(call, record, clock_ms);
        if (status < 0)
            return status;
    }
    windows->first[record] = windows->keys->count;
    int status = panes_resolve(windows, windows->entries);
    return status < 0 ? status : record;
}

/* ---- Sessions: what a key's state lists is the window, and the window under which its contents are kept ---- */

struct session { struct window window, kept; };

static struct cell *sessions_cell(const struct call *call, int32_t record)
{
    return &call->entries[record]->slots[op_of(call)->step->sessions_slot];
}

/* The sessions of a record's key, in order of time; they are copied, since the state may move. */
static uint32_t sessions_read(const struct call *call, int32_t record, struct session **sessions)
{
    struct buffer *copy = &window_step_of(call)->sessions;
    const struct cell *cell = sessions_cell(call, record);
    buffer_clear(copy);
    if (cell->tag == CELL_STRING)
        buffer_append(copy, cell->payload, cell->length);
    buffer_reserve(copy, sizeof **sessions);
    *sessions = (struct session *)(void *)copy->data;
    return (uint32_t)(copy->bytes / sizeof **sessions);
}

static void sessions_write(const struct call *call, int32_t record, const struct session *sessions, uint32_t count)
{
    struct cell cell = { .tag = count == 0 ? CELL_ABSENT : CELL_STRING, .length = count * (uint32_t)sizeof *sessions };
    value_state_set(call->state, call->entries[record], op_of(call)->step->sessions_slot, &cell, (const char *)sessions);
}

/* Sessions [first, first + count) become one, which is kept where the first of them was. */
static void sessions_replace(const struct call *call, int32_t record, struct session *sessions, uint32_t count, const struct window_merge *merge)
{
    struct session added = { merge->window, merge->count == 0 ? merge->window : sessions[merge->first].kept };
    memmove(&sessions[merge->first + 1], &sessions[merge->first + merge->count], (count - merge->first - merge->count) * sizeof *sessions);
    sessions[merge->first] = added;
    sessions_write(call, record, sessions, count + 1 - merge->count);
}

/* A pane of no window, for call_window_void(). It is resolved with the others: a later resolve might evict these. */
static int void_key(struct window_step *windows, int32_t pane, struct slice key)
{
    buffer_clear(&windows->key);
    buffer_append_slice(&windows->key, key);
    msgpack_write_bool(&windows->key, false);
    windows->keys->count = pane + 1;
    return batch_key_set(windows->keys, pane, windows->key.data, windows->key.bytes);
}

static int session_panes(struct call *call, int32_t record, const struct session *sessions, const struct window_merge *merge, const struct window *kept)
{
    struct window_step *windows = window_step_of(call);
    panes_clear(windows);
    int status = pane_key(windows, 0, record_key(call, record), kept);
    uint32_t replaced = merge->merged ? merge->count : 0;
    for (uint32_t i = 1; i < replaced && status == 0; i++)
        status = pane_key(windows, (int32_t)i, record_key(call, record), &sessions[merge->first + i].kept);
    if (status == 0 && replaced > 0)
        status = void_key(windows, (int32_t)replaced, record_key(call, record));
    if (status == 0)
        status = panes_resolve(windows, windows->entries);
    windows->windows[0] = merge->window;
    for (uint32_t i = 0; i < replaced; i++)
        windows->windows[i + 1] = sessions[merge->first + i].window;
    windows->shared.merged_windows = (int32_t)replaced;
    windows->shared.merged_panes = replaced == 0 ? 0 : (int32_t)replaced - 1;
    return status;
}

int call_session_add(struct call *call, int32_t record, int64_t gap)
{
    struct window_step *windows = window_step_of(call);
    struct window added;
    int64_t time = record_time(call, record, windows->shared.clock_ms);
    int status = window_session(time, gap, &added);
    if (status < 0)
        return status;
    struct session *sessions;
    uint32_t count = sessions_read(call, record, &sessions);
    if (count + 2 > BATCH_RECORDS_MAX)
        return error_set(ERROR_TOO_LARGE, "a key has more than %d open sessions", BATCH_RECORDS_MAX - 2);
    struct window open[BATCH_RECORDS_MAX];
    for (uint32_t i = 0; i < count; i++)
        open[i] = sessions[i].window;
    struct window_merge merge;
    window_merge(open, count, &added, &merge);
    if (dropped_for(call, &merge.window)) { /* of those that are still there only at MAX, where nothing is forgotten */
        record_is_late(call, record);
        return SESSION_LATE;
    }
    struct window kept = merge.count == 0 ? added : sessions[merge.first].kept;
    status = session_panes(call, record, sessions, &merge, &kept);
    if (status == 0 && (merge.count == 0 || merge.merged))
        sessions_replace(call, record, sessions, count, &merge);
    windows->late[record] = WINDOW_RECORD_TAKEN;
    return status < 0 ? status : merge.merged ? SESSION_MERGED : SESSION_ADDED;
}

static int pane_empty(struct window_step *windows, const struct step *step, struct entry *entry)
{
    static const struct cell absent = { .tag = CELL_ABSENT };
    int status = 0;
    for (uint32_t slot = 0; slot < step->pane_state_count && status == 0; slot++) {
        if (entry->slots[slot].tag == CELL_ABSENT)
            continue;
        switch (step->pane_states[slot].kind) {
        case KIND_MAP: status = map_state_clear(windows->panes, entry, slot); break;
        case KIND_LIST: status = list_state_clear(windows->panes, entry, slot); break;
        default: value_state_set(windows->panes, entry, slot, &absent, NULL);
        }
    }
    return status;
}

int call_session_merged(struct call *call)
{
    struct window_step *windows = window_step_of(call);
    int status = 0;
    for (int32_t i = 1; i <= windows->shared.merged_panes && status == 0; i++)
        status = pane_empty(windows, op_of(call)->step, windows->entries[i]);
    for (int32_t i = 1; i <= windows->shared.merged_windows && status == 0; i++)
        status = call_window_delete(call, i, windows->shared.domain, window_cleanup_time(&windows->windows[i], windows->shared.lateness));
    windows->shared.merged_panes = windows->shared.merged_windows = 0;
    return status;
}

int call_window_void(struct call *call)
{
    struct call_windows *shared = &window_step_of(call)->shared;
    shared->panes.index = shared->merged_panes + 1;
    return 0;
}

/* ---- Timers ---- */

int call_windows_compose_run(struct operator *op, struct timers *timers, const struct batch *run)
{
    struct window_step *windows = window_step_of(op->call);
    panes_clear(windows);
    for (int32_t i = 0; i < run->count; i++) {
        struct slice key = slice_of(arena_at(&run->arena, run->keys[i].offset), run->keys[i].bytes);
        struct window window;
        int status = name_space_read(timers_name_space(timers, i), &window);
        if (status == 0)
            status = pane_key(windows, i, key, &window);
        if (status < 0)
            return status;
        windows->run_windows[i] = window;
    }
    if (plan_window(op)->kind == WINDOW_SESSION)
        return 0; /* where a session is kept is known only when its timer's turn has come */
    return panes_resolve(windows, windows->run_entries);
}

static int window_of_session(struct call *call, int32_t index)
{
    struct window_step *windows = window_step_of(call);
    const struct window *wanted = &windows->run_windows[index];
    struct session *sessions;
    uint32_t count = sessions_read(call, index, &sessions);
    for (uint32_t i = 0; i < count; i++) {
        if (sessions[i].window.start != wanted->start || sessions[i].window.end != wanted->end)
            continue;
        panes_clear(windows);
        int status = pane_key(windows, 0, record_key(call, index), &sessions[i].kept);
        if (status == 0)
            status = panes_resolve(windows, windows->entries);
        windows->windows[0] = *wanted;
        return status < 0 ? status : 1;
    }
    return 0;
}

int call_window_of_timer(struct call *call, int32_t index)
{
    struct window_step *windows = window_step_of(call);
    map_iterations_end(windows->panes);
    if (plan_window(op_of(call))->kind == WINDOW_SESSION)
        return window_of_session(call, index);
    windows->shared.panes.index = 0;
    windows->entries[0] = windows->run_entries[index];
    windows->windows[0] = windows->run_windows[index];
    return 1;
}

static struct slice pane_name_space(struct window_step *windows, int32_t pane)
{
    buffer_clear(&windows->key);
    name_space_write(&windows->key, &windows->windows[pane]);
    return buffer_slice(&windows->key);
}

static int no_window(void)
{
    return error_set(ERROR_STATE, "there is no current window: these timers belong to a window");
}

int call_window_register(struct call *call, int32_t pane, int domain, int64_t time)
{
    if (call->keys == NULL)
        return no_window();
    struct slice name_space = pane_name_space(window_step_of(call), pane);
    call_timer_registered(call, domain, time);
    return timers_register(call_step_of(call)->timers[domain], time, call->keys[call->index].hash, record_key(call, call->index), name_space);
}

int call_window_delete(struct call *call, int32_t pane, int domain, int64_t time)
{
    if (call->keys == NULL)
        return no_window();
    struct slice name_space = pane_name_space(window_step_of(call), pane);
    if (call_window_is_cleanup(call, pane, domain, time))
        window_step_of(call)->shared.is_unkept = true;
    return timers_delete(call_step_of(call)->timers[domain], time, call->keys[call->index].hash, record_key(call, call->index), name_space);
}

static int64_t cleanup_time(const struct call *call, int32_t pane)
{
    const struct window_step *windows = window_step_of(call);
    return window_cleanup_time(&windows->windows[pane], windows->shared.lateness);
}

int call_window_keep(struct call *call, int32_t pane)
{
    int64_t time = cleanup_time(call, pane);
    window_step_of(call)->shared.is_unkept = false;
    return time == INT64_MAX ? 0 : call_window_register(call, pane, window_step_of(call)->shared.domain, time);
}

bool call_window_is_cleanup(const struct call *call, int32_t pane, int domain, int64_t time)
{
    return domain == window_step_of(call)->shared.domain && time != INT64_MAX && time == cleanup_time(call, pane);
}

int call_window_forget(struct call *call, int32_t pane)
{
    struct window_step *windows = window_step_of(call);
    const struct step *step = op_of(call)->step;
    struct session *sessions;
    uint32_t count = step->window.kind == WINDOW_SESSION ? sessions_read(call, call->index, &sessions) : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (sessions[i].window.start != windows->windows[pane].start || sessions[i].window.end != windows->windows[pane].end)
            continue;
        memmove(&sessions[i], &sessions[i + 1], (count - i - 1) * sizeof *sessions);
        sessions_write(call, call->index, sessions, count - 1);
        break;
    }
    windows->entries[pane]->flags &= (uint16_t)~ENTRY_TIMED;
    windows->shared.is_unkept = false;
    return pane_empty(windows, step, windows->entries[pane]);
}

int64_t call_window_max_timestamp(const struct call *call, int32_t pane)
{
    const struct window *window = &window_step_of(call)->windows[pane];
    return window->start == WINDOW_OF_ALL.start ? INT64_MAX : window_max_timestamp(window);
}
