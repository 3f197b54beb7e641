/*
 * Windows whose aggregates the engine has, over tumbling and sliding windows with their
 * own trigger: no record enters Lua. A key's slices (time/slices.h) are a value of its
 * state, changed in place; the timers of a window are registered with its first record.
 *
 * What a window is, its timers' times tell: they need no namespace, but for windows that
 * end beyond all times, and for timers that only forget: those may fall on the times at
 * which others fire.
 */
#include "dataflow/operators/aggregate.h"
#include "dataflow/operators/name_space.h"

#include "base/error.h"
#include "base/fetch.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "codec/shape.h"
#include "time/instant.h"

#include <stdlib.h>
#include <string.h>

#define PREFETCH_AHEAD 12
#define PREFETCH_OLDER_AHEAD 4

/* ---- Life ---- */

static int aggregate_open(struct operator *op)
{
    struct aggregator *self = memory_new_zeroed(1, sizeof *self);
    struct checkpointing *checkpointing = op->worker->dataflow->checkpointing;
    const struct step *step = op->step;
    op->self = self;
    buffer_init(&self->space);
    struct keyed_state_config config;
    operator_state_config(op, false, &config);
    config.undo = false; /* a record that cannot be taken changes nothing */
    plan_slices(step, &self->slices);
    self->sessions = step->window.kind == WINDOW_SESSION;
    self->shared = !self->sessions && step->window.shape.slide < step->window.shape.size;
    passed_times_init(&self->passed);
    self->summed = self->shared && slice_sums_pay(&self->slices, &step->window.shape);
    if (self->summed)
        config.state[config.states++].kind = KIND_DERIVED;
    self->state = keyed_state_new(&config);
    self->view = keyed_state_view(self->state);
    operator_timers_open(op, self->state, self->timers);
    self->run = batch_take();
    self->windows = step->window.shape;
    self->lateness = step->window.lateness;
    self->event = step->window.domain == DOMAIN_EVENT;
    self->clock_passed = INT64_MIN;
    self->shape = SHAPE_NONE;
    self->slices.attempt = checkpointing->epoch;
    int status = aggregate_result_shape(self, step);
    status = status < 0 ? status : aggregate_forgotten_open(op);
    return status < 0 ? status : checkpointing->restore_state(checkpointing->self, step->id, self->state);
}

static void aggregate_close(struct operator *op)
{
    struct aggregator *self = op->self;
    if (self == NULL)
        return;
    operator_timers_close(self->timers);
    if (self->state != NULL)
        keyed_state_free(self->state);
    if (self->run != NULL)
        batch_drop(self->run);
    buffer_deinit(&self->space);
    arena_deinit(&self->packed);
    passed_times_deinit(&self->passed);
    free(self);
    op->self = NULL;
}

/* ---- What records bring ---- */

static void shape_learn(struct operator *op, uint32_t id)
{
    struct aggregator *self = op->self;
    self->shape = id;
    for (uint32_t i = 0; i < op->step->aggregate_count; i++) {
        const struct step_aggregate *aggregate = &op->step->aggregates[i];
        self->fields[i] = aggregate->kind == AGGREGATE_COUNT ? -1 : shape_field(shape_get(id), slice_of_text(aggregate->field));
    }
}

/* As lua/moontide/numbers.lua says it. */
static int number_refused(const struct step_aggregate *aggregate, const struct cell *cell, const char *bytes)
{
    static const char *const names[] = { [AGGREGATE_SUM] = "sum", [AGGREGATE_MIN] = "min", [AGGREGATE_MAX] = "max", [AGGREGATE_AVG] = "avg" };
    static const char *const others[] = { [CELL_NULL] = "null", [CELL_FALSE] = "false", [CELL_TRUE] = "true" };
    const char *name = names[aggregate->kind];
    if (cell != NULL && cell->tag == CELL_STRING)
        return error_set(ERROR_ARGUMENT, "%s: field '%s' must be a number, got \"%.*s\"", name, aggregate->field,
                         (int)(cell->length < 40 ? cell->length : 40), bytes + cell->offset);
    const char *got = cell == NULL ? "nothing" : cell->tag <= CELL_TRUE ? others[cell->tag] : "a table";
    return error_set(ERROR_ARGUMENT, "%s: field '%s' must be a number, got %s", name, aggregate->field, got);
}

static bool is_number(const struct cell *cell)
{
    return cell != NULL && cell->tag >= CELL_NUMBER && cell->tag <= CELL_UINT64;
}

/* Of a table with too many fields, or of too many kinds of tables: see codec/shape.h. */
static int packed_numbers(struct operator *op, struct slice packed)
{
    struct aggregator *self = op->self;
    for (uint32_t i = 0; i < self->slices.aggregates; i++) {
        const struct step_aggregate *aggregate = &op->step->aggregates[i];
        if (aggregate->kind == AGGREGATE_COUNT)
            continue;
        arena_clear(&self->packed);
        int status = msgpack_read_field(packed, slice_of_text(aggregate->field), &self->packed, &self->numbers[i]);
        if (status < 0)
            return status;
        if (!is_number(&self->numbers[i]))
            return number_refused(aggregate, self->numbers[i].tag == CELL_ABSENT ? NULL : &self->numbers[i], self->packed.bytes);
    }
    return 0;
}

/* The number that each aggregate takes of a record. */
int aggregate_numbers(struct operator *op, const struct batch *batch, int32_t record)
{
    struct aggregator *self = op->self;
    struct cell value = batch->values[record];
    if (value.tag == CELL_PACKED)
        return packed_numbers(op, slice_of(batch->arena.bytes + value.offset, value.length));
    if (value.tag == CELL_ROW && value.length != self->shape)
        shape_learn(op, value.length);
    const struct cell *fields = value.tag == CELL_ROW ? arena_at(&batch->arena, value.offset) : NULL;
    for (uint32_t i = 0; i < self->slices.aggregates; i++) {
        if (self->slices.kinds[i] == AGGREGATE_COUNT)
            continue;
        const struct cell *cell = fields == NULL || self->fields[i] < 0 ? NULL : &fields[self->fields[i]];
        if (!is_number(cell))
            return number_refused(&op->step->aggregates[i], cell, batch->arena.bytes);
        self->numbers[i] = *cell;
    }
    return 0;
}

/* ---- Records ---- */

struct arrival { struct aggregate_key key; int64_t time; };

typedef int timer_registration(struct timers *timers, int64_t time, uint64_t hash, struct slice key, struct slice name_space);

/* The timers of a window: to fire, and to be forgotten (S24). */
static int window_register(struct operator *op, const struct arrival *arrival, const struct window *window, timer_registration *registration)
{
    struct aggregator *self = op->self;
    struct timers *timers = self->timers[self->event ? DOMAIN_EVENT : DOMAIN_PROCESSING];
    int64_t fires = window_max_timestamp(window), forgotten = window_cleanup_time(window, self->event ? self->lateness : 0);
    int status = 0;
    buffer_clear(&self->space);
    if (fires == TIME_END)
        name_space_write(&self->space, window);
    if (!self->event || fires > op->time.watermark)
        status = registration(timers, fires, arrival->key.hash, arrival->key.bytes, buffer_slice(&self->space));
    if (status == 0 && forgotten != INT64_MAX && forgotten != fires)
        status = registration(timers, forgotten, arrival->key.hash, arrival->key.bytes, slice_of_text(FORGET_SPACE));
    return status;
}

bool aggregate_is_dropped_for(const struct operator *op, const struct window *window)
{
    const struct aggregator *self = op->self;
    return self->event && window_is_late(window, self->lateness, op->time.watermark);
}

/* The windows that hold a new slice and neither of its neighbours of this attempt, which begin at `before` and `behind`. */
static int windows_begin(struct operator *op, const struct arrival *arrival, int64_t before, int64_t behind, timer_registration *registration)
{
    const struct aggregator *self = op->self;
    struct window window;
    int status = 0;
    for (int has = window_last(&self->windows, arrival->time, &window); has > 0 && window.start > before && status == 0;
         has = window_previous(&self->windows, arrival->time, &window)) {
        if (window.end <= behind && !aggregate_is_dropped_for(op, &window))
            status = window_register(op, arrival, &window, registration);
    }
    return status;
}

/* A slice of an earlier attempt: its windows' timers may have fired there, and fire again with what is new (S9). */
static int windows_renew(struct operator *op, char *slice, const struct arrival *arrival)
{
    const struct aggregator *self = op->self;
    struct window window;
    int status = 0;
    slice_set_attempt(slice, self->slices.attempt);
    for (int has = window_last(&self->windows, arrival->time, &window); has > 0 && status == 0; has = window_previous(&self->windows, arrival->time, &window)) {
        if (!aggregate_is_dropped_for(op, &window))
            status = window_register(op, arrival, &window, timers_register);
    }
    return status;
}

/* Windows that have fired and are not forgotten fire again with every record (S23). */
static int windows_refire(struct operator *op, struct entry *entry, const struct arrival *arrival)
{
    const struct aggregator *self = op->self;
    struct window window;
    int status = 0;
    for (int has = window_last(&self->windows, arrival->time, &window); has > 0 && status == 0; has = window_previous(&self->windows, arrival->time, &window)) {
        if (window_is_complete(&window, op->time.watermark) && !aggregate_is_dropped_for(op, &window))
            status = aggregate_fire(op, entry, arrival->key.bytes, &window);
    }
    return status;
}

enum lateness { TAKEN, IN_A_GAP, LATE };

static enum lateness lateness_of(const struct operator *op, int64_t time)
{
    const struct aggregator *self = op->self;
    struct window window;
    if (window_last(&self->windows, time, &window) == 0)
        return IN_A_GAP;
    return aggregate_is_dropped_for(op, &window) ? LATE : TAKEN; /* the last one is the last to be dropped */
}

void aggregate_late(struct operator *op, const struct batch *batch, int32_t record)
{
    const struct aggregator *self = op->self;
    if (!window_record_is_late(batch->times[record], self->lateness, op->time.watermark))
        return;
    if (op->step->late_port < 0)
        counter_add(&op->late, 1);
    else
        batch_append_record(operator_output(op, op->step->late_port), batch, record);
}

/*
 * The nearest slice of this attempt before a place among the older ones; INT64_MIN: there is none that a window has
 * together with a record's. Those of earlier attempts have no timers here, as their windows may have fired.
 */
static int64_t begun_before(const struct aggregator *self, const char *slices, uint32_t place)
{
    while (place-- > 0) {
        const char *slice = slices + (size_t)place * self->slices.bytes;
        if (slice_start(slice) <= self->slice - self->windows.size)
            return INT64_MIN;
        if (slice_attempt(slice) == self->slices.attempt)
            return slice_start(slice);
    }
    return INT64_MIN;
}

/* The same behind it. */
static int64_t begun_behind(const struct aggregator *self, const char *slices, uint32_t place, uint32_t count, const char *newest)
{
    for (; place < count; place++) {
        const char *slice = slices + (size_t)place * self->slices.bytes;
        if (slice_start(slice) - self->windows.size >= self->slice)
            return INT64_MAX;
        if (slice_attempt(slice) == self->slices.attempt)
            return slice_start(slice);
    }
    return newest != NULL && slice_attempt(newest) == self->slices.attempt ? slice_start(newest) : INT64_MAX;
}

/* A slice behind all others. */
static int slice_append(struct operator *op, struct entry *entry, const struct arrival *arrival)
{
    struct aggregator *self = op->self;
    char *newest = newest_of(self, entry);
    uint32_t count;
    const char *slices = slices_of(self, entry, &count);
    bool has_newest = newest != NULL, is_begun = has_newest && slice_attempt(newest) == self->slices.attempt;
    int64_t before = is_begun ? slice_start(newest) : begun_before(self, slices, count);
    if (has_newest)
        aggregate_newest_push(self, entry);
    bool summed = entry->flags & ENTRY_SUMMED; /* the one that is among the older ones now */
    entry->flags &= (uint16_t)~(ENTRY_SUMMED | ENTRY_SUMMED_OLDER);
    entry->flags |= (uint16_t)(summed ? ENTRY_SUMMED_OLDER : 0);
    newest = value_bytes_resize(self->state, entry, SLOT_NEWEST, self->slices.bytes); /* in its place */
    slice_begin(&self->slices, newest, self->slice, self->numbers);
    bool is_new = is_begun || (!has_newest && count == 0); /* slices of earlier attempts may have brought timers along */
    return windows_begin(op, arrival, before, INT64_MAX, is_new ? timers_register_new : timers_register);
}

/* A slice among the older ones. */
static int slice_insert(struct operator *op, struct entry *entry, uint32_t place, const struct arrival *arrival)
{
    struct aggregator *self = op->self;
    uint32_t count, bytes = self->slices.bytes;
    slices_of(self, entry, &count);
    char *slices = value_bytes_resize(self->state, entry, SLOT_SLICES, (count + 1) * bytes);
    char *slice = slices + (size_t)place * bytes;
    memmove(slice + bytes, slice, (size_t)(count - place) * bytes);
    slice_begin(&self->slices, slice, self->slice, self->numbers);
    entry->flags &= (uint16_t)~ENTRY_SUMMED_OLDER;
    int64_t behind = begun_behind(self, slices, place + 1, count + 1, newest_of(self, entry));
    return windows_begin(op, arrival, begun_before(self, slices, place), behind, timers_register);
}

int64_t aggregate_time_passed(const struct operator *op)
{
    const struct aggregator *self = op->self;
    return self->event ? op->time.watermark : self->clock_passed;
}

/* The record's slice, or NULL; then *place is where it would be among the older ones. Of several of its time it can only be the last. */
static char *slice_of_record(const struct operator *op, const struct entry *entry, int64_t time, uint32_t *place)
{
    const struct aggregator *self = op->self;
    uint32_t count;
    bool found;
    char *slices = slices_of(self, entry, &count), *newest = newest_of(self, entry);
    *place = count;
    if (newest != NULL && slice_start(newest) <= self->slice) /* behind all others, which need not be looked at */
        return slice_start(newest) == self->slice && !aggregate_forgotten(op, entry, newest, time) ? newest : NULL;
    *place = slices_find(&self->slices, slices, count, self->slice, &found);
    if (!found)
        return NULL;
    char *slice = slices + (size_t)*place * self->slices.bytes;
    for (; *place + 1 < count && slice_start(slice + self->slices.bytes) == self->slice; slice += self->slices.bytes)
        ++*place;
    if (!aggregate_forgotten(op, entry, slice, time))
        return slice;
    ++*place;
    return NULL;
}

static int slice_arrive(struct operator *op, struct entry *entry, const struct arrival *arrival)
{
    struct aggregator *self = op->self;
    if (self->slice_end - 1 <= aggregate_time_passed(op))
        slice_sums_changed(sums_of(self, entry), self->slice);
    uint32_t place, count;
    char *slice = slice_of_record(op, entry, arrival->time, &place);
    if (slice != NULL) {
        value_bytes_touch(self->state, self->view, entry);
        int status = slice_add(&self->slices, slice, self->numbers);
        return status < 0 || slice_attempt(slice) == self->slices.attempt ? status : windows_renew(op, slice, arrival);
    }
    slices_of(self, entry, &count);
    const char *newest = newest_of(self, entry);
    bool last = place == count && (newest == NULL || slice_start(newest) <= self->slice);
    return last ? slice_append(op, entry, arrival) : slice_insert(op, entry, place, arrival);
}

/* A record whose slice is not the key's newest, or some of whose windows have fired already. */
static int arrive(struct operator *op, struct batch *batch, int32_t record, const struct arrival *arrival)
{
    struct aggregator *self = op->self;
    struct entry *entry = self->entries[record];
    switch (lateness_of(op, arrival->time)) {
    case LATE: aggregate_late(op, batch, record); return 0;
    case IN_A_GAP: return 0;
    case TAKEN: break;
    }
    int status = aggregate_numbers(op, batch, record);
    if (status < 0)
        return status;
    status = slice_arrive(op, entry, arrival);
    bool refires = self->event && self->slice_end - 1 <= op->time.watermark; /* windows end where slices end, or later */
    return status < 0 || !refires ? status : windows_refire(op, entry, arrival);
}

/* The commonest case: none of the slice's windows has fired, and it is the newest of its key, of this attempt. */
static char *newest_slice(const struct aggregator *self, const struct entry *entry)
{
    char *newest = newest_of(self, entry);
    bool is_it = newest != NULL && slice_start(newest) == self->slice && slice_attempt(newest) == self->slices.attempt;
    return is_it ? newest : NULL;
}

static struct aggregate_key key_of(const struct batch *batch, int32_t record)
{
    const struct batch_key *key = &batch->keys[record];
    return (struct aggregate_key){ key->hash, slice_of(arena_at(&batch->arena, key->offset), key->bytes) };
}

static int take_record(struct operator *op, struct batch *batch, int32_t record, int64_t clock_ms)
{
    struct aggregator *self = op->self;
    int64_t time = self->event ? batch->times[record] : clock_ms;
    if (!time_is_stamp(time))
        return error_set(ERROR_ARGUMENT, "a window of event time needs records with time stamps, and this one has none: call :assign_timestamps");
    if (self->sessions) {
        struct aggregate_key key = key_of(batch, record);
        return aggregate_session_record(op, batch, record, &key, time);
    }
    if (time >= self->slice_end || time < self->slice) {
        self->slice = window_start(time, self->windows.offset, self->slices.length);
        self->slice_end = time_add(self->slice, self->slices.length);
    }
    bool open = self->slice_end - 1 > aggregate_time_passed(op);
    char *newest = open ? newest_slice(self, self->entries[record]) : NULL;
    if (newest != NULL) {
        int status = aggregate_numbers(op, batch, record);
        if (status < 0)
            return status;
        value_bytes_touch(self->state, self->view, self->entries[record]);
        return slice_add(&self->slices, newest, self->numbers);
    }
    struct arrival arrival = { key_of(batch, record), time };
    return arrive(op, batch, record, &arrival);
}

/* Where a slice ends with this record, it is appended to the older ones, which are many. */
static void prefetch_older(const struct aggregator *self, const struct entry *entry)
{
    const char *newest = newest_of(self, entry);
    const struct cell *older = &entry->slots[SLOT_SLICES];
    if (newest == NULL || slice_start(newest) == self->slice || older->tag != CELL_STRING)
        return;
    fetch_line(older->payload - sizeof(uint64_t)); /* how much it has room for */
    fetch_line(older->payload + older->length);
}

/* What a record changes is behind a pointer: the misses of several overlap. */
static void prefetch(const struct aggregator *self, int32_t count, int32_t record)
{
    if (record + PREFETCH_AHEAD < count) {
        const struct cell *slot = &self->entries[record + PREFETCH_AHEAD]->slots[self->sessions ? SLOT_SLICES : SLOT_NEWEST];
        if (slot->tag == CELL_STRING)
            fetch_line(slot->payload);
    }
    if (self->summed && record + PREFETCH_OLDER_AHEAD < count)
        prefetch_older(self, self->entries[record + PREFETCH_OLDER_AHEAD]);
}

static int aggregate_batch(struct operator *op, struct batch *batch)
{
    struct aggregator *self = op->self;
    int status = batch->count == 0 ? 0 : keyed_state_resolve(self->state, batch, self->entries);
    int64_t clock_ms = worker_clock_ms(op->worker);
    for (int32_t i = 0; i < batch->count && status == 0; i++) {
        prefetch(self, batch->count, i);
        status = take_record(op, batch, i, clock_ms);
        if (status < 0)
            status = operator_bad_record(op, batch, i, status);
    }
    return status < 0 ? status : keyed_state_failure(self->state);
}

/* ---- Time ---- */

static int aggregate_time(struct operator *op, uint32_t mark, int64_t number)
{
    if (mark == MARK_WATERMARK)
        operator_timers_fire(op, DOMAIN_EVENT, number);
    return 0;
}

static int64_t aggregate_clock(struct operator *op, int64_t now_ms)
{
    struct aggregator *self = op->self;
    return self == NULL ? INT64_MAX : operator_timers_clock(op, self->timers[DOMAIN_PROCESSING], now_ms);
}

static int aggregate_snapshot(struct operator *op, uint64_t checkpoint, bool final, struct buffer *blob)
{
    (void)final;
    aggregate_forgotten_snapshot(op, blob);
    keyed_state_freeze(((struct aggregator *)op->self)->state, checkpoint);
    return 0;
}

static struct keyed_state *aggregate_state(const struct operator *op)
{
    return ((const struct aggregator *)op->self)->state;
}

static struct timers *aggregate_timers_of(const struct operator *op, int domain)
{
    return ((const struct aggregator *)op->self)->timers[domain];
}

const struct operator_vtab operator_aggregate = {
    .open = aggregate_open, .batch = aggregate_batch, .time = aggregate_time, .timers = aggregate_timers, .clock = aggregate_clock,
    .snapshot = aggregate_snapshot, .close = aggregate_close, .state = aggregate_state, .timers_of = aggregate_timers_of,
};
