/*
 * Windows whose aggregates the engine has, over tumbling and sliding windows with their
 * own trigger: no record enters Lua. A key's slices (time/slices.h) are a value of its
 * state, changed in place; the timers of a window are registered with its first record.
 */
#include "dataflow/keyed.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/msgpack.h"
#include "codec/shape.h"

#include <stdlib.h>

#define RESULT_FIELDS 3 /* key, window_start, window_end */

struct aggregator {
    struct keyed_state *state;
    struct keyed_state_view *view;
    struct timers *timers[DOMAINS];
    struct batch *run;                 /* timers that are firing */
    struct entry *entries[BATCH_RECORDS_MAX];
    struct window_shape windows;
    struct slices_shape slices;
    int64_t lateness;
    bool event;
    uint32_t shape;                    /* of the last record; SHAPE_NONE: unknown */
    int fields[AGGREGATES_MAX];        /* of each aggregate in that shape; -1: it has none */
    uint32_t result_shape;
    uint32_t result_places[RESULT_FIELDS + AGGREGATES_MAX]; /* key, window_start, window_end, results: where in a row */
    int64_t slice;                     /* where the last record's slice begins */
    struct buffer scratch;
};

/* ---- Life ---- */

struct name_place { struct slice name; uint32_t place; };

static int compare_names(const void *a, const void *b)
{
    return slice_compare(((const struct name_place *)a)->name, ((const struct name_place *)b)->name);
}

static int result_shape_make(struct aggregator *self, const struct step *step)
{
    struct name_place names[RESULT_FIELDS + AGGREGATES_MAX] = { { slice_of_text("key"), 0 }, { slice_of_text("window_start"), 1 }, { slice_of_text("window_end"), 2 } };
    struct slice sorted[RESULT_FIELDS + AGGREGATES_MAX];
    uint32_t count = RESULT_FIELDS + step->aggregate_count;
    for (uint32_t i = 0; i < step->aggregate_count; i++)
        names[RESULT_FIELDS + i] = (struct name_place){ slice_of_text(step->aggregates[i].name), RESULT_FIELDS + i };
    qsort(names, count, sizeof names[0], compare_names);
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = names[i].name;
        self->result_places[names[i].place] = i;
        if (i > 0 && slice_equal(sorted[i - 1], sorted[i]))
            return error_set(ERROR_ARGUMENT, "two fields of the result are called '%.*s'", (int)sorted[i].bytes, sorted[i].data);
    }
    self->result_shape = shape_intern(sorted, count);
    return self->result_shape == SHAPE_NONE ? error_set(ERROR_ARGUMENT, "there are too many kinds of records") : 0;
}

static int aggregate_open(struct operator *op)
{
    struct aggregator *self = memory_new_zeroed(1, sizeof *self);
    struct checkpointing *checkpointing = op->worker->dataflow->checkpointing;
    const struct step *step = op->step;
    op->self = self;
    buffer_init(&self->scratch);
    struct keyed_state_config config;
    operator_state_config(op, false, &config);
    config.undo = false; /* a record that cannot be taken changes nothing */
    self->state = keyed_state_new(&config);
    self->view = keyed_state_view(self->state);
    operator_timers_open(op, self->state, self->timers);
    self->run = batch_take();
    self->windows = step->window.shape;
    self->lateness = step->window.lateness;
    self->event = step->window.domain == DOMAIN_EVENT;
    self->shape = SHAPE_NONE;
    uint8_t kinds[AGGREGATES_MAX];
    for (uint32_t i = 0; i < step->aggregate_count; i++)
        kinds[i] = step->aggregates[i].kind;
    slices_shape_init(&self->slices, &self->windows, kinds, step->aggregate_count);
    self->slice = window_start(0, self->windows.offset, self->slices.length);
    int status = result_shape_make(self, step);
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
    buffer_deinit(&self->scratch);
    free(self);
    op->self = NULL;
}

/* ---- What records bring ---- */

static void shape_learn(struct operator *op, uint32_t id)
{
    struct aggregator *self = op->self;
    self->shape = id;
    for (uint32_t i = 0; i < op->step->aggregate_count; i++)
        self->fields[i] = shape_field(shape_get(id), slice_of_text(op->step->aggregates[i].field));
}

static int numbers_refused(const struct step_aggregate *aggregate, const struct cell *cell)
{
    static const char *const names[] = { [AGGREGATE_SUM] = "sum", [AGGREGATE_MIN] = "min", [AGGREGATE_MAX] = "max", [AGGREGATE_AVG] = "avg" };
    if (cell == NULL)
        return error_set(ERROR_ARGUMENT, "%s: the record has no field '%s'", names[aggregate->kind], aggregate->field);
    if (cell->tag == CELL_INT64 || cell->tag == CELL_UINT64)
        return error_set(ERROR_ARGUMENT, "%s: field '%s' is an integer beyond 2^53, of which %s would be inexact: use reduce", names[aggregate->kind],
                         aggregate->field, names[aggregate->kind]);
    return error_set(ERROR_ARGUMENT, "%s: field '%s' must be a number", names[aggregate->kind], aggregate->field);
}

/* The number that each aggregate takes of a record. */
static int numbers_read(struct operator *op, const struct batch *batch, int32_t record, double *numbers)
{
    struct aggregator *self = op->self;
    struct cell value = batch->values[record];
    if (value.tag == CELL_ROW && value.length != self->shape)
        shape_learn(op, value.length);
    const struct cell *fields = value.tag == CELL_ROW ? arena_at(&batch->arena, value.offset) : NULL;
    for (uint32_t i = 0; i < op->step->aggregate_count; i++) {
        const struct step_aggregate *aggregate = &op->step->aggregates[i];
        if (aggregate->kind == AGGREGATE_COUNT)
            continue;
        const struct cell *cell = fields == NULL || self->fields[i] < 0 ? NULL : &fields[self->fields[i]];
        if (cell == NULL || cell->tag != CELL_NUMBER)
            return numbers_refused(aggregate, cell);
        numbers[i] = cell->number;
    }
    return 0;
}

/* ---- What leaves ---- */

static int emit(struct operator *op, struct slice key, const struct window *window, const double *results)
{
    struct aggregator *self = op->self;
    struct batch *out = operator_output(op, 0);
    uint32_t fields = RESULT_FIELDS + op->step->aggregate_count;
    uint64_t offset = arena_allocate(&out->arena, fields * sizeof(struct cell));
    struct cell key_cell;
    int status = msgpack_read_cell(&key, &out->arena, &key_cell); /* may move the arena */
    if (status < 0)
        return status;
    struct cell *row = arena_at(&out->arena, offset);
    row[self->result_places[0]] = key_cell;
    row[self->result_places[1]] = cell_of_int64(window->start);
    row[self->result_places[2]] = cell_of_int64(window->end);
    for (uint32_t i = 0; i < op->step->aggregate_count; i++)
        row[self->result_places[RESULT_FIELDS + i]] = cell_of_number(results[i]);
    out->values[out->count] = (struct cell){ .tag = CELL_ROW, .length = self->result_shape, .offset = offset };
    out->times[out->count++] = window_max_timestamp(window);
    return 0;
}

/* The slices of a key's state; none: *count is 0. */
static const char *slices_of(const struct aggregator *self, const struct entry *entry, uint32_t *count)
{
    const struct cell *slot = &entry->slots[0];
    *count = slot->tag == CELL_STRING ? slot->length / self->slices.bytes : 0;
    return *count == 0 ? NULL : slot->payload;
}

static int fire(struct operator *op, const struct entry *entry, struct slice key, const struct window *window)
{
    struct aggregator *self = op->self;
    uint32_t count;
    const char *slices = slices_of(self, entry, &count);
    double results[AGGREGATES_MAX];
    if (!slices_result(&self->slices, slices, count, window->start, window->end, results))
        return 0; /* S26 */
    return emit(op, key, window, results);
}

/* ---- Records ---- */

struct arrival { const struct batch_key *id; struct slice key; int64_t time; const double *numbers; };

/* The timers of a window that gets its first record: to fire, and to be forgotten (S24). */
static int window_begin(struct operator *op, const struct arrival *arrival, const struct window *window)
{
    struct aggregator *self = op->self;
    struct timers *timers = self->timers[self->event ? DOMAIN_EVENT : DOMAIN_PROCESSING];
    int64_t fires = window_max_timestamp(window), forgotten = window_cleanup_time(window, self->event ? self->lateness : 0);
    int status = 0;
    if (!self->event || fires > op->time.watermark)
        status = timers_register(timers, fires, arrival->id->hash, arrival->key, slice_of("", 0));
    if (status == 0 && forgotten != INT64_MAX && forgotten != fires)
        status = timers_register(timers, forgotten, arrival->id->hash, arrival->key, slice_of("", 0));
    return status;
}

/* The slices as they are, with a new one for the arrival at `place`. */
static void slice_insert(struct aggregator *self, struct entry *entry, uint32_t place, int64_t start, const double *numbers)
{
    uint32_t count;
    const char *old = slices_of(self, entry, &count);
    size_t before = (size_t)place * self->slices.bytes, behind = ((size_t)count - place) * self->slices.bytes;
    buffer_clear(&self->scratch);
    buffer_append(&self->scratch, old, before);
    slice_begin(&self->slices, buffer_reserve(&self->scratch, self->slices.bytes), start, numbers);
    self->scratch.bytes += self->slices.bytes;
    if (behind > 0)
        buffer_append(&self->scratch, old + before, behind);
    struct cell cell = { .tag = CELL_STRING, .length = (uint32_t)self->scratch.bytes };
    value_state_set(self->state, entry, 0, &cell, self->scratch.data);
}

static void slice_change(struct aggregator *self, struct entry *entry, uint32_t place, const double *numbers)
{
    if (entry->dirty_epoch != self->view->epoch)
        keyed_state_touch(self->state, entry);
    slice_add(&self->slices, entry->slots[0].payload + (size_t)place * self->slices.bytes, numbers);
}

static bool is_dropped_for(const struct operator *op, const struct window *window)
{
    const struct aggregator *self = op->self;
    return self->event && window_is_late(window, self->lateness, op->time.watermark);
}

static int windows_begin(struct operator *op, const struct entry *entry, const struct arrival *arrival)
{
    struct aggregator *self = op->self;
    uint32_t count;
    const char *slices = slices_of(self, entry, &count);
    struct window window;
    int status = 0;
    for (int has = window_last(&self->windows, arrival->time, &window); has > 0 && status == 0; has = window_previous(&self->windows, arrival->time, &window)) {
        if (!is_dropped_for(op, &window) && !slices_any(&self->slices, slices, count, window.start, window.end))
            status = window_begin(op, arrival, &window);
    }
    return status;
}

/* Windows that have fired and are not forgotten fire again with every record (S23). */
static int windows_refire(struct operator *op, const struct entry *entry, const struct arrival *arrival)
{
    struct aggregator *self = op->self;
    struct window window;
    int status = 0;
    for (int has = window_last(&self->windows, arrival->time, &window); has > 0 && status == 0; has = window_previous(&self->windows, arrival->time, &window)) {
        if (self->event && window_is_complete(&window, op->time.watermark) && !is_dropped_for(op, &window))
            status = fire(op, entry, arrival->key, &window);
    }
    return status;
}

enum lateness { TAKEN, IN_A_GAP, LATE };

static enum lateness lateness_of(const struct operator *op, int64_t time)
{
    const struct aggregator *self = op->self;
    struct window window;
    enum lateness found = IN_A_GAP;
    for (int has = window_last(&self->windows, time, &window); has > 0; has = window_previous(&self->windows, time, &window)) {
        if (!is_dropped_for(op, &window))
            return TAKEN;
        found = LATE;
    }
    return found;
}

static void late_record(struct operator *op, const struct batch *batch, int32_t record)
{
    const struct aggregator *self = op->self;
    if (!window_record_is_late(batch->times[record], self->lateness, op->time.watermark))
        return;
    if (op->step->late_port < 0)
        counter_add(&op->late, 1);
    else
        batch_append_record(operator_output(op, op->step->late_port), batch, record);
}

/* A record whose slice is not the key's newest, or some of whose windows have fired already. */
static int arrive(struct operator *op, struct batch *batch, int32_t record, const struct arrival *arrival)
{
    struct aggregator *self = op->self;
    struct entry *entry = self->entries[record];
    switch (lateness_of(op, arrival->time)) {
    case LATE: late_record(op, batch, record); return 0;
    case IN_A_GAP: return 0;
    case TAKEN: break;
    }
    uint32_t count;
    bool found;
    const char *slices = slices_of(self, entry, &count);
    uint32_t place = slices_find(&self->slices, slices, count, self->slice, &found);
    int status = found ? 0 : windows_begin(op, entry, arrival);
    if (status < 0)
        return status;
    if (found)
        slice_change(self, entry, place, arrival->numbers);
    else
        slice_insert(self, entry, place, self->slice, arrival->numbers);
    return windows_refire(op, entry, arrival);
}

/* The commonest case: none of the slice's windows has fired, and it is the newest of its key. */
static bool arrive_quickly(struct operator *op, int32_t record, const double *numbers)
{
    struct aggregator *self = op->self;
    struct entry *entry = self->entries[record];
    const struct cell *slot = &entry->slots[0];
    if (slot->tag != CELL_STRING)
        return false;
    char *last = slot->payload + slot->length - self->slices.bytes;
    if (slice_start(last) != self->slice)
        return false;
    if (entry->dirty_epoch != self->view->epoch)
        keyed_state_touch(self->state, entry);
    slice_add(&self->slices, last, numbers);
    return true;
}

static int take_record(struct operator *op, struct batch *batch, int32_t record, int64_t clock_ms)
{
    struct aggregator *self = op->self;
    double numbers[AGGREGATES_MAX];
    int64_t time = self->event ? batch->times[record] : clock_ms;
    if (time == TIME_NONE)
        return error_set(ERROR_ARGUMENT, "the record has no time stamp, and its windows are of event time: call :assign_timestamps");
    int status = numbers_read(op, batch, record, numbers);
    if (status < 0)
        return status;
    if ((uint64_t)time - (uint64_t)self->slice >= (uint64_t)self->slices.length)
        self->slice = window_start(time, self->windows.offset, self->slices.length);
    bool open = !self->event || self->slice + self->slices.length - 1 > op->time.watermark;
    if (open && self->windows.slide <= self->windows.size && arrive_quickly(op, record, numbers))
        return 0;
    const struct batch_key *id = &batch->keys[record];
    struct arrival arrival = { id, slice_of(arena_at(&batch->arena, id->offset), id->bytes), time, numbers };
    return arrive(op, batch, record, &arrival);
}

static int aggregate_batch(struct operator *op, struct batch *batch)
{
    struct aggregator *self = op->self;
    int status = batch->count == 0 ? 0 : keyed_state_resolve(self->state, batch, self->entries);
    int64_t clock_ms = worker_clock_ms(op->worker);
    for (int32_t i = 0; i < batch->count && status == 0; i++) {
        status = take_record(op, batch, i, clock_ms);
        if (status < 0 && op->step->policy != POLICY_FAIL)
            status = operator_bad_record(op, batch, i, error_message());
    }
    return status < 0 ? status : keyed_state_failure(self->state);
}

/* ---- Time ---- */

/* Windows that are forgotten by `now` need their slices no more. */
static void slices_forget(struct aggregator *self, struct entry *entry, int64_t now)
{
    uint32_t count;
    const char *slices = slices_of(self, entry, &count);
    int64_t lateness = self->event ? self->lateness : 0;
    int64_t last_dead = now - lateness + 1 - self->windows.size;  /* no window that begins later is forgotten */
    int64_t first_live = window_start(last_dead, self->windows.offset, self->windows.slide) + self->windows.slide;
    bool found;
    uint32_t dead = slices_find(&self->slices, slices, count, first_live, &found);
    if (dead == 0)
        return;
    buffer_clear(&self->scratch);
    buffer_append(&self->scratch, slices + (size_t)dead * self->slices.bytes, (size_t)(count - dead) * self->slices.bytes);
    struct cell cell = { .tag = dead == count ? CELL_ABSENT : CELL_STRING, .length = (uint32_t)self->scratch.bytes };
    value_state_set(self->state, entry, 0, &cell, self->scratch.data);
}

/* S24: what is due fires first, then what is due is forgotten. */
static int timer_fire(struct operator *op, struct entry *entry, struct slice key, int64_t time)
{
    struct aggregator *self = op->self;
    struct window window = { time + 1 - self->windows.size, time + 1 };
    int status = 0;
    if (window_start(window.start, self->windows.offset, self->windows.slide) == window.start)
        status = fire(op, entry, key, &window);
    slices_forget(self, entry, time);
    return status;
}

static int run_fire(struct operator *op, struct timers *timers)
{
    struct aggregator *self = op->self;
    int status = keyed_state_resolve(self->state, self->run, self->entries);
    for (int32_t i = 0; i < self->run->count && status == 0; i++) {
        status = timers_take(timers, i);
        if (status < 0)
            break;
        const struct batch_key *id = &self->run->keys[i];
        struct slice key = slice_of(arena_at(&self->run->arena, id->offset), id->bytes);
        status = timer_fire(op, self->entries[i], key, self->run->times[i]);
    }
    return status;
}

static int aggregate_timers(struct operator *op, uint32_t domain, int64_t now)
{
    struct aggregator *self = op->self;
    batch_clear(self->run);
    int count = timers_due(self->timers[domain], now, self->run);
    if (count <= 0)
        return count;
    operator_timers_fire(op, domain, now); /* what is left, behind what these emit */
    int status = run_fire(op, self->timers[domain]);
    return status < 0 ? status : keyed_state_failure(self->state);
}

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
    (void)final, (void)blob;
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
