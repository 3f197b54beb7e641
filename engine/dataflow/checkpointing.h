/*
 * What workers and the coordinator (checkpoint floor, above) tell each other.
 * Workers read the atomics between batches; the functions are called from their
 * threads and must not block for long.
 */
#pragma once

#include "dataflow/part_kind.h"
#include "state/keyed_state.h"

#include <stdatomic.h>

/* What one step of one subtask adds to a checkpoint. */
struct checkpoint_part {
    uint32_t step;
    uint32_t subtask;
    char kind[PART_KIND_BYTES];
    struct buffer blob;
};

/* One chain of one subtask has its snapshot complete, swept state included. */
struct checkpoint_ack {
    uint64_t checkpoint;
    uint32_t chain, subtask;
    struct checkpoint_part *parts;
    uint32_t part_count;
    struct checkpoint_ack *next;
};
void checkpoint_ack_free(struct checkpoint_ack *ack);

/* Blobs that a step saved, one per old subtask; NULL/0 on a fresh start. */
struct restored_blobs { const struct slice *blobs; uint32_t count; };

struct checkpointing {
    atomic_ullong requested;     /* the newest checkpoint that was asked for */
    atomic_ullong final;         /* the one behind which sources read nothing more; 0: none */
    atomic_ullong completed;     /* the newest that was committed */
    atomic_ullong base;          /* raised by 1 for each new base */
    atomic_bool base_into_store;
    atomic_bool drain;           /* sources end where they are, as if their input had ended */
    atomic_bool finish;          /* all is committed: close and end */
    atomic_bool cancel;          /* end now */
    void *self;
    void (*take)(void *self, struct state_buffer *buffer);
    void (*ack)(void *self, struct checkpoint_ack *ack);
    void (*base_done)(void *self, uint64_t base, int status);
    void (*request)(void *self);
    /* Every chain of this subtask has ended. */
    void (*ended)(void *self, uint32_t subtask);
    void (*records)(void *self, uint64_t records);   /* read by sources since the last call; may be NULL */
    /* Fill a keyed state from what is restored. Worker's thread. */
    int (*restore_state)(void *self, uint32_t step, struct keyed_state *state);
    struct restored_blobs (*restored)(void *self, uint32_t step);
    uint64_t epoch;              /* of the first barrier */
    struct backend *backend;
};
