#include "dataflow/operators/aggregate.h"
#include "dataflow/operators/name_space.h"

#include "base/error.h"
#include "base/fetch.h"
#include "time/instant.h"

#include <string.h>

#define PREFETCH_AHEAD 4
#define PREFETCH_SUMS_AHEAD 8
#define PREFETCHED_LINES 4
#define SUMS_UNTIL_TIDY 16 /* a power of two */

/* ---- Windows ---- */

void aggregate_newest_push(struct aggregator *self, struct entry *entry)
{
    uint32_t count, bytes = self->slices.bytes;
    slices_of(self, entry, &count);
    char *slices = value_bytes_resize(self->state, entry, SLOT_SLICES, (count + 1) * bytes);
    memcpy(slices + (size_t)count * bytes, newest_of(self, entry), bytes);
}

static bool lies_in(int64_t start, const struct window *window)
{
    return start >= window->start && (start < window->end || window->end == TIME_END);
}

int aggregate_fire(struct operator *op, struct entry *entry, struct slice key, const struct window *window)
{
    struct aggregator *self = op->self;
    if (aggregate_may_forget(self, window))
        return aggregate_fire_rest(op, entry, key, window);
    const char *newest = newest_of(self, entry);
    uint32_t count, bytes = self->slices.bytes;
    const char *slices = slices_of(self, entry, &count);
    if (newest != NULL && lies_in(slice_start(newest), window)) {
        if (count == 0 || slice_start(slices + (size_t)(count - 1) * bytes) < window->start)
            return aggregate_emit(op, newest, 1, key, window);
        aggregate_newest_push(self, entry);
        value_bytes_resize(self->state, entry, SLOT_NEWEST, 0);
        slices = slices_of(self, entry, &count);
    }
    return aggregate_emit(op, slices, count, key, window);
}

static struct slice_sums *sums_make(struct aggregator *self, struct entry *entry, const struct slices_view *view, const struct window *window)
{
    int64_t boundary = slice_sums_boundary(&self->slices, &self->windows, entry->hash, window);
    uint32_t count = slice_sums_wanted(&self->slices, view, window, boundary);
    struct slice_sums *sums = (void *)value_bytes_resize(self->state, entry, SLOT_SUMS, slice_sums_bytes(&self->slices, count));
    slice_sums_make(&self->slices, sums, view, window, boundary, count);
    return sums;
}

/* What the sums have now: all slices up to the window's end. */
static void summed_note(const struct aggregator *self, struct entry *entry, const struct slices_view *view, const struct window *window)
{
    bool newest = view->newest != NULL && slice_start(view->newest) < window->end;
    bool older = newest || (entry->flags & ENTRY_SUMMED_OLDER) || view->count == 0;
    if (!older)
        older = slice_start(view->slices + (size_t)(view->count - 1) * self->slices.bytes) < window->end;
    entry->flags &= (uint16_t)~(ENTRY_SUMMED | ENTRY_SUMMED_OLDER);
    entry->flags |= (uint16_t)((newest ? ENTRY_SUMMED : 0) | (older ? ENTRY_SUMMED_OLDER : 0));
}

/* A window whose time has come; windows that share many slices come one behind the other. */
static int window_fire(struct operator *op, struct entry *entry, struct slice key, const struct window *window)
{
    struct aggregator *self = op->self;
    if (!self->summed || aggregate_may_forget(self, window))
        return aggregate_fire(op, entry, key, window);
    struct slices_view view = { .newest = newest_of(self, entry) };
    view.slices = slices_of(self, entry, &view.count);
    struct slice_sums *sums = sums_of(self, entry);
    bool made = sums == NULL || !slice_sums_serve(sums, window);
    if (made)
        sums = sums_make(self, entry, &view, window);
    if (made)
        entry->flags &= (uint16_t)~ENTRY_SUMMED_OLDER;
    slice_sums_extend(&self->slices, sums, &view, window, !(entry->flags & ENTRY_SUMMED_OLDER));
    summed_note(self, entry, &view, window);
    struct cell results[AGGREGATES_MAX];
    switch (slice_sums_result(&self->slices, sums, window, results)) {
    case SLICE_SUMS_NONE: return 0;
    case SLICE_SUMS_TOLD: return aggregate_emit_results(op, key, window, results);
    default: return aggregate_fire(op, entry, key, window);
    }
}

/* ---- Timers ---- */

/* Where windows have many slices, those that they need no more go some at a time: the others need not be moved, or looked at, each time. */
static bool slices_may_wait(const struct aggregator *self, const struct entry *entry, int64_t first_live)
{
    const struct slice_sums *sums = sums_of(self, entry);
    const char *newest = newest_of(self, entry);
    return sums != NULL && newest != NULL && slice_start(newest) >= first_live && sums->next % SUMS_UNTIL_TIDY != 0;
}

/*
 * Windows that end by this time need their slices no more, at a timer of time `now`. With a
 * lateness it is not asked what is forgotten by `now`, but what the watermark has left behind:
 * a key with very many windows would else move all that stay for each one that goes. What has
 * not fired yet stays, though.
 */
static int64_t needed_no_more(const struct operator *op, int64_t now)
{
    const struct aggregator *self = op->self;
    int64_t lateness = self->event ? self->lateness : 0;
    if (lateness == 0 || op->time.watermark < now)
        return now - lateness;
    int64_t passed = op->time.watermark - lateness, fired = now - 1;
    return passed < fired ? passed : fired;
}

static void slices_forget(struct operator *op, struct entry *entry, int64_t now)
{
    struct aggregator *self = op->self;
    uint32_t count;
    bool found;
    char *slices = slices_of(self, entry, &count);
    int64_t last_dead = needed_no_more(op, now) + 1 - self->windows.size; /* where the last window began that is forgotten */
    int64_t first_live = window_start(last_dead, self->windows.offset, self->windows.slide) + self->windows.slide;
    if (slices_may_wait(self, entry, first_live))
        return;
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
        status = window_fire(op, entry, key, &window);
    if (!fires || !self->event || self->lateness == 0)
        slices_forget(op, entry, time);
    return status;
}

/* A window looks at both ends of the slices and then reads them in order, which the processor notices. */
static void prefetch_slices(const struct cell *slot)
{
    uintptr_t begin = (uintptr_t)slot->payload - CACHE_LINE_BYTES /* the head of the bytes too */, end = (uintptr_t)slot->payload + slot->length;
    for (uintptr_t i = 0; i < PREFETCHED_LINES; i++) {
        fetch_line((const void *)(begin + i * CACHE_LINE_BYTES));
        fetch_line((const void *)(end - i * CACHE_LINE_BYTES));
    }
}

/* With sums it is their head and the newest slice, and then the sum of its first one. */
static void prefetch_summed(const struct entry *entry)
{
    const struct cell *newest = &entry->slots[SLOT_NEWEST], *sums = &entry->slots[SLOT_SUMS];
    if (newest->tag == CELL_STRING)
        fetch_line(newest->payload);
    if (sums->tag == CELL_STRING) {
        fetch_line(sums->payload);
        fetch_line(sums->payload + CACHE_LINE_BYTES);
    }
}

static void prefetch(const struct aggregator *self, int32_t timer)
{
    int32_t early = timer + PREFETCH_SUMS_AHEAD;
    if (self->summed && early < self->run->count)
        prefetch_summed(self->entries[early]);
    if (timer + PREFETCH_AHEAD >= self->run->count)
        return;
    const struct entry *entry = self->entries[timer + PREFETCH_AHEAD];
    const struct slice_sums *sums = sums_of(self, entry);
    if (sums != NULL)
        fetch_line(slice_sums_next(&self->slices, sums));
    else if (entry->slots[SLOT_SLICES].tag == CELL_STRING)
        prefetch_slices(&entry->slots[SLOT_SLICES]);
}

static int run_fire(struct operator *op, struct timers *timers)
{
    struct aggregator *self = op->self;
    int status = keyed_state_resolve(self->state, self->run, self->entries);
    for (int32_t i = 0; i < self->run->count && status == 0; i++) {
        prefetch(self, i);
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
    self->clock_passed = now;
    int status = run_fire(op, self->timers[domain]);
    return status < 0 ? status : keyed_state_failure(self->state);
}
