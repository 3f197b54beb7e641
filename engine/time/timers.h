/*
 * The timers of one keyed step on one worker, of one time domain.
 *
 * A timer is (time, key, namespace); registering it again changes nothing, deleting
 * it removes it entirely (S4, S5). Timers of one time lie in one bucket as a log of
 * what was registered and deleted; the log is cleaned when it has doubled and before
 * it fires, so that registering is an append. Buckets are ordered by a heap of their
 * times. What lies beyond a horizon goes to the store when memory is short, ordered
 * by time there, and comes back in ranges.
 *
 * Epochs are those of the keyed state that the timers are attached to: what is born
 * and fires between two barriers is never written.
 *
 * A row is   key group (2) · column (2) · time (8, big endian, sign bit flipped) ·
 *            key (msgpack, delimits itself) · namespace
 * with an empty value.
 *
 * Thread   the worker.
 */
#pragma once

#include "codec/batch.h"
#include "state/keyed_state.h"

/* <cdef> */
struct timers;

enum timer_take {
    TIMER_FIRE = 1,    /* it is removed: call back */
    TIMER_GONE = 2,    /* it was deleted since the run was composed */
    TIMER_STALE = 3,   /* an earlier one was registered since: compose a new run */
};

struct timers_config {
    uint16_t column;
    uint32_t subtask;
    uint32_t max_parallelism;
    uint16_t group_first, group_last;
    uint64_t epoch;
    struct backend *backend;
    struct state_output output;
};

/* Attached to `state`, whose epochs, bases, restores and undo they follow; freed before it. */
struct timers *timers_new(const struct timers_config *config, struct keyed_state *state);
void timers_free(struct timers *timers);

/* `key` as in batch_key (canonical msgpack); `name_space` may be empty. Time is within ±2^53 (INT64_MAX never fires but by a watermark MAX). */
int timers_register(struct timers *timers, int64_t time, uint64_t hash, struct slice key, struct slice name_space);
/* The same, of a timer that is surely not registered: nobody looks whether it is. */
int timers_register_new(struct timers *timers, int64_t time, uint64_t hash, struct slice key, struct slice name_space);
int timers_delete(struct timers *timers, int64_t time, uint64_t hash, struct slice key, struct slice name_space);

/* The time of the earliest timer in *time; false if there is none. It may be one that was deleted since. */
bool timers_next(struct timers *timers, int64_t *time);

/*
 * Compose a run: the timers with a time <= `now`, ordered by time, at most
 * BATCH_RECORDS_MAX, as records of `run` (which is empty): keys and times, no values;
 * run->keyed is set. They stay registered until they are taken, one by one and in
 * order, before their callback. Answers their number or a negative code.
 */
int timers_due(struct timers *timers, int64_t now, struct batch *run);
/* Answers enum timer_take or a negative code. */
int timers_take(struct timers *timers, int32_t index);
/* The namespace of a record of the run; valid until timers_due(). */
struct slice timers_name_space(const struct timers *timers, int32_t index);

/* Pending timers, exactly; for tests and status: it may take long. Negative: failed. */
int64_t timers_count(struct timers *timers);
/* </cdef> */
