/*
 * What else belongs to a keyed state and shares its life: timers, or another keyed
 * state (window panes, keyed by key and namespace). Whatever the floors above do with
 * the keyed state (freeze, sweep, base, restore, undo, failure, rows, bytes) is done
 * with its parts too, so nobody else need know of them.
 *
 * Owner    who attaches a part detaches it, and frees it before the keyed state.
 * Thread   the worker's.
 */
#pragma once

#include "state/keyed_state.h"

/* Each function as the one of keyed_state.h with its name; `self` is what was attached. */
struct state_part {
    void (*freeze)(void *self, uint64_t checkpoint);
    bool (*sweep)(void *self, uint32_t rows);
    bool (*swept)(const void *self);
    void (*base_begin)(void *self, bool into_store);
    int (*base_step)(void *self, uint32_t rows);
    bool (*base_running)(const void *self);
    bool (*stored)(const void *self);
    void (*restore_begin)(void *self, bool stored);
    bool (*owns)(const void *self, uint16_t column);
    int (*restore_row)(void *self, const struct row *row);   /* of a column that it owns and of the state's key groups */
    int (*restore_done)(void *self);
    void (*commit_record)(void *self);
    void (*undo)(void *self);
    void (*evict)(void *self);                               /* asked between batches: account for memory, give back what is asked for */
    int (*failure)(const void *self);
    uint64_t (*rows)(void *self);
    size_t (*bytes)(const void *self);
};

void keyed_state_attach(struct keyed_state *state, const struct state_part *part, void *self);
void keyed_state_detach(struct keyed_state *state, const void *self);

/*
 * A part is about to change something that keyed_state_undo() must take back: makes
 * the view's undo_count rise. False: nothing is ever taken back.
 */
bool keyed_state_undo_mark(struct keyed_state *state);

/* <cdef> */
/* `part` has the same key groups, epochs and backend, and columns of its own. Detached by keyed_state_free(part). */
void keyed_state_attach_state(struct keyed_state *state, struct keyed_state *part);
/* </cdef> */
