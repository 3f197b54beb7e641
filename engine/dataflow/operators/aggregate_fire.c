#include "dataflow/operators/aggregate.h"
#include "dataflow/operators/name_space.h"

#include "base/error.h"
#include "base/log.h"
#include "codec/msgpack.h"
#include "codec/shape.h"
#include "time/instant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PREFETCH_AHEAD 4
#define PREFETCHED_LINES 4
#define CACHE_LINE_BYTES 64

/* ---- What leaves ---- */

struct name_place { struct slice name; uint32_t place; };

static int compare_names(const void *a, const void *b)
{
    return slice_compare(((const struct name_place *)a)->name, ((const struct name_place *)b)->name);
}

int aggregate_result_shape(struct aggregator *self, const struct step *step)
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

/* As lua/moontide/runtime/times.lua has it. */
static struct cell time_cell(int64_t time)
{
    return cell_of_number(time == TIME_END ? HUGE_VAL : (double)time);
}

static int emit(struct operator *op, struct slice key, const struct window *window, const struct cell *results)
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
    row[self->result_places[1]] = time_cell(window->start);
    row[self->result_places[2]] = time_cell(window->end);
    for (uint32_t i = 0; i < op->step->aggregate_count; i++)
        row[self->result_places[RESULT_FIELDS + i]] = results[i];
    out->values[out->count] = (struct cell){ .tag = CELL_ROW, .length = self->result_shape, .offset = offset };
    out->times[out->count++] = window_max_timestamp(window);
    return 0;
}

/* A window whose sum cannot be told is an error without a record. */
static int refused(struct operator *op, const struct window *window, int status)
{
    if (op->step->policy == POLICY_FAIL)
        return status;
    counter_add(&op->errors, 1);
    log_warn("step \"%s\", subtask %u: window from %lld: %s", op->step->name, op->worker->subtask, (long long)window->start, error_message());
    return 0;
}

int aggregate_emit(struct operator *op, const char *slices, uint32_t count, struct slice key, const struct window *window)
{
    struct aggregator *self = op->self;
    struct cell results[AGGREGATES_MAX];
    int status = slices_result(&self->slices, slices, count, window->start, window->end, results);
    if (status < 0)
        return refused(op, window, status);
    return status == 0 ? 0 : emit(op, key, window, results);
}

void aggregate_newest_push(struct aggregator *self, struct entry *entry)
{
    uint32_t count, bytes = self->slices.bytes;
    char newest[SLICE_BYTES_MAX];
    memcpy(newest, newest_of(self, entry), bytes);
    slices_of(self, entry, &count);
    char *slices = value_bytes_resize(self->state, entry, SLOT_SLICES, (count + 1) * bytes);
    memcpy(slices + (size_t)count * bytes, newest, bytes);
    value_bytes_resize(self->state, entry, SLOT_NEWEST, 0);
}

static bool lies_in(int64_t start, const struct window *window)
{
    return start >= window->start && (start < window->end || window->end == TIME_END);
}

int aggregate_fire(struct operator *op, struct entry *entry, struct slice key, const struct window *window)
{
    struct aggregator *self = op->self;
    const char *newest = newest_of(self, entry);
    uint32_t count, bytes = self->slices.bytes;
    const char *slices = slices_of(self, entry, &count);
    if (newest != NULL && lies_in(slice_start(newest), window)) {
        if (count == 0 || slice_start(slices + (size_t)(count - 1) * bytes) < window->start)
            return aggregate_emit(op, newest, 1, key, window);
        aggregate_newest_push(self, entry);
        slices = slices_of(self, entry, &count);
    }
    return aggregate_emit(op, slices, count, key, window);
}

/* ---- Timers ---- */

/* Windows that are forgotten by `now` need their slices no more. */
static void slices_forget(struct aggregator *self, struct entry *entry, int64_t now)
{
    uint32_t count;
    bool found;
    char *slices = slices_of(self, entry, &count);
    int64_t last_dead = now - (self->event ? self->lateness : 0) + 1 - self->windows.size; /* where the last window began that is forgotten */
    int64_t first_live = window_start(last_dead, self->windows.offset, self->windows.slide) + self->windows.slide;
    uint32_t dead = slices_find(&self->slices, slices, count, first_live, &found);
    const char *newest = newest_of(self, entry);
    if (newest != NULL && slice_start(newest) < first_live)
        value_bytes_resize(self->state, entry, SLOT_NEWEST, 0);
    if (dead == 0)
        return;
    uint32_t kept = (count - dead) * self->slices.bytes;
    value_bytes_touch(self->state, self->view, entry);
    memmove(slices, slices + (size_t)dead * self->slices.bytes, kept);
    value_bytes_resize(self->state, entry, SLOT_SLICES, kept);
}

/* S24: what is due fires first, then what is due is forgotten. Windows without an end are not. */
static int timer_fire(struct operator *op, struct entry *entry, struct slice key, int64_t time, struct slice space)
{
    struct aggregator *self = op->self;
    struct window window;
    int status = 0;
    if (time == TIME_END) {
        status = name_space_read(space, &window);
        return status < 0 ? status : aggregate_fire(op, entry, key, &window);
    }
    window = (struct window){ time + 1 - self->windows.size, time + 1 };
    bool fires = space.bytes == 0;
    if (fires)
        status = aggregate_fire(op, entry, key, &window);
    if (!fires || !self->event || self->lateness == 0)
        slices_forget(self, entry, time);
    return status;
}

/* A window looks at both ends of the slices and then reads them in order, which the processor notices. */
static void prefetch(const struct aggregator *self, int32_t timer)
{
    if (timer >= self->run->count || self->entries[timer]->slots[SLOT_SLICES].tag != CELL_STRING)
        return;
    const struct cell *slot = &self->entries[timer]->slots[SLOT_SLICES];
    uintptr_t begin = (uintptr_t)slot->payload - CACHE_LINE_BYTES /* the head of the bytes too */, end = (uintptr_t)slot->payload + slot->length;
    for (uintptr_t i = 0; i < PREFETCHED_LINES; i++) {
        __builtin_prefetch((const void *)(begin + i * CACHE_LINE_BYTES), 1);
        __builtin_prefetch((const void *)(end - i * CACHE_LINE_BYTES), 1);
    }
}

static int run_fire(struct operator *op, struct timers *timers)
{
    struct aggregator *self = op->self;
    int status = keyed_state_resolve(self->state, self->run, self->entries);
    for (int32_t i = 0; i < self->run->count && status == 0; i++) {
        prefetch(self, i + PREFETCH_AHEAD);
        int take = timers_take(timers, i);
        if (take < 0 || take == TIMER_STALE)
            return take < 0 ? take : 0; /* the rest is in the next run */
        if (take == TIMER_GONE)
            continue;
        const struct batch_key *id = &self->run->keys[i];
        struct aggregate_key key = { id->hash, slice_of(arena_at(&self->run->arena, id->offset), id->bytes) };
        struct slice space = timers_name_space(timers, i);
        if (self->sessions)
            status = aggregate_session_timer(op, self->entries[i], &key, self->run->times[i], space.bytes == 0);
        else
            status = timer_fire(op, self->entries[i], key.bytes, self->run->times[i], space);
    }
    return status;
}

int aggregate_timers(struct operator *op, uint32_t domain, int64_t now)
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
