/*
 * The inside of STEP_AGGREGATE, for the files that together are it: aggregate.c (records),
 * aggregate_fire.c (time), aggregate_emit.c (what leaves), aggregate_forgotten.c (time that
 * goes back at a restore), aggregate_sessions.c.
 *
 * Thread   the worker.
 */
#pragma once

#include "dataflow/keyed.h"
#include "state/value_bytes.h"
#include "time/passed_times.h"
#include "time/slice_sums.h"

#define RESULT_FIELDS 3 /* key, window_start, window_end */

struct aggregator {
    struct keyed_state *state;
    const struct keyed_state_view *view;
    struct timers *timers[DOMAINS];
    struct batch *run;                 /* timers that are firing */
    struct entry *entries[BATCH_RECORDS_MAX];
    struct window_shape windows;
    struct slices_shape slices;
    int64_t lateness;
    bool event, sessions;
    bool shared;                       /* windows overlap, so that slices are in several */
    bool summed;                       /* windows share so many slices that their sums are kept */
    int64_t clock_passed;              /* windows of processing time that end until then have fired */
    struct passed_times passed;        /* of the attempts before, if slices are shared */
    uint32_t shape;                    /* of the last record; SHAPE_NONE: unknown */
    int fields[AGGREGATES_MAX];        /* of each aggregate in that shape; -1: it has none, or needs none */
    uint32_t result_shape;
    uint32_t result_places[RESULT_FIELDS + AGGREGATES_MAX]; /* key, window_start, window_end, results: where in a row */
    int64_t slice, slice_end;          /* of the last record's time */
    struct cell numbers[AGGREGATES_MAX];
    struct buffer space;               /* of a timer */
    struct arena packed;               /* bytes of a field of a record that is no row */
};

/*
 * The newest slice of a key is a state of its own, beside the older ones: it takes nearly
 * all records, and where windows have many slices only it is then read all the time.
 * The sums of slices are made anew where they are missing, and written nowhere.
 */
enum { SLOT_SLICES = 0, SLOT_NEWEST = 1, SLOT_SUMS = 2 };

/* The older slices of a key; none: *count is 0. */
static inline char *slices_of(const struct aggregator *self, const struct entry *entry, uint32_t *count)
{
    char *slices = value_bytes(entry, SLOT_SLICES, count);
    *count /= self->slices.bytes;
    return slices;
}

/* NULL: there is none. */
static inline char *newest_of(const struct aggregator *self, const struct entry *entry)
{
    uint32_t bytes;
    char *newest = value_bytes(entry, SLOT_NEWEST, &bytes);
    return bytes < self->slices.bytes ? NULL : newest;
}

/* NULL: there are none. */
static inline struct slice_sums *sums_of(const struct aggregator *self, const struct entry *entry)
{
    uint32_t bytes;
    return self->summed ? (struct slice_sums *)(void *)value_bytes(entry, SLOT_SUMS, &bytes) : NULL;
}

/* The shape of the records that leave. */
int aggregate_result_shape(struct aggregator *self, const struct step *step);

struct aggregate_key { uint64_t hash; struct slice bytes; };

/* The number that each aggregate takes of a record, into `numbers`. */
int aggregate_numbers(struct operator *op, const struct batch *batch, int32_t record);
/* A copy of the newest slice becomes the last of the older ones. */
void aggregate_newest_push(struct aggregator *self, struct entry *entry);
/* A record that no window took. */
void aggregate_late(struct operator *op, const struct batch *batch, int32_t record);
/* A window's results leave. */
int aggregate_emit_results(struct operator *op, struct slice key, const struct window *window, const struct cell *results);
/* Emit what slices come to in a key's window, if there are any in it (S26). */
int aggregate_emit(struct operator *op, const char *slices, uint32_t count, struct slice key, const struct window *window);
/* The same of a key's slices: of any window. */
int aggregate_fire(struct operator *op, struct entry *entry, struct slice key, const struct window *window);
/* Windows that end until then have fired. */
int64_t aggregate_time_passed(const struct operator *op);
bool aggregate_is_dropped_for(const struct operator *op, const struct window *window);

/*
 * A window that was forgotten in an earlier attempt begins anew where time has gone back: with
 * new records alone, while its old ones stay in the slices that it shares with later windows.
 * New ones then get slices of their own, of the same time.
 */
int aggregate_forgotten_open(struct operator *op);
void aggregate_forgotten_snapshot(const struct operator *op, struct buffer *blob);
/* Has any window that a record of this time begins anew forgotten what the slice holds? */
bool aggregate_forgotten(const struct operator *op, const struct entry *entry, const char *slice, int64_t time);
/* May the window have forgotten a slice of its time? */
bool aggregate_may_forget(const struct aggregator *self, const struct window *window);
/* Emit what the slices come to that the window has not forgotten. */
int aggregate_fire_rest(struct operator *op, const struct entry *entry, struct slice key, const struct window *window);

int aggregate_timers(struct operator *op, uint32_t domain, int64_t now);

int aggregate_session_record(struct operator *op, struct batch *batch, int32_t record, const struct aggregate_key *key, int64_t time);
int aggregate_session_timer(struct operator *op, struct entry *entry, const struct aggregate_key *key, int64_t time, bool fires);

/* The namespace of the timer at which a window is forgotten, where it is not the one at which it fires. */
#define FORGET_SPACE "\xc0"
