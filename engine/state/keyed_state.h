/*
 * The keyed state of one step on one worker: a write-back cache over the store,
 * cut at barriers into deltas.
 *
 * Every key has an entry with one slot per declared state: a value lies in it, a
 * map or list has its head there and its rows in a table of its own. What is read
 * is always cache over store. What is written is marked dirty (once per epoch, a
 * call; later writes of the epoch are plain stores).
 *
 * Epochs. An epoch ends at a barrier: keyed_state_freeze() turns the dirty list into
 * the frozen one and returns at once; keyed_state_sweep() encodes frozen entries in
 * slices between batches into buffers, which go to the output. An entry that is
 * written again before the sweep reached it hands its old value over first. A frozen,
 * unswept entry is one whose dirty_epoch is the frozen epoch; sweeping sets it to 0.
 * A large table is swept beside the worker, where a core is left for it (walker.h).
 *
 * Memory. Over its share of the budget the cache evicts entries that are neither
 * dirty nor frozen under a clock hand, into the store if they are newer than it. If
 * most are dirty, they are swept into the delta of the running epoch early.
 *
 * Owner    keyed_state_new() allocates, keyed_state_free() frees; the backend must outlive it.
 *          Entries are valid until the next call that evicts (keyed_state_resolve() does), sweeps or freezes.
 * Thread   one worker; buffers that were handed to the output belong to it.
 * Errors   0 or more is success, else a negative code with error_message().
 */
#pragma once

#include "codec/batch.h"
#include "state/backend.h"
#include "state/row.h"
#include "state/row_trail.h"
#include "state/table.h"

#define KEYED_STATES_MAX 31
#define STATE_BUFFER_BYTES (1u << 20) /* of rows: then a buffer is full */

/* <cdef> */
/* Encoded rows on their way to a file. */
struct state_buffer {
    struct state_buffer *next;
    uint64_t epoch;
    uint32_t subtask;
    uint16_t group_first, group_last;
    bool dump;                 /* rows of a base, not of a delta */
    struct buffer rows;
};
/* An empty one, which says about itself what `head` does. */
struct state_buffer *state_buffer_new(const struct state_buffer *head);
void state_buffer_free(struct state_buffer *buffer);

struct state_output {
    void (*take)(void *self, struct state_buffer *buffer);
    void *self;
};

struct keyed_state_config {
    uint16_t column;                  /* of the key rows */
    uint32_t states;
    struct {
        uint16_t id;                  /* also the column of a map's or list's rows */
        uint16_t kind;
        bool hidden;                  /* not counted as rows */
        uint32_t row_bytes;           /* of a value that is rows of this length; 0: it counts one */
        bool timed_rows;              /* a value that counts the rows in it (state/timed_row.h) */
    } state[31 /* KEYED_STATES_MAX */];
    uint32_t subtask;
    uint32_t max_parallelism;
    uint16_t group_first, group_last;  /* key groups of this subtask */
    uint64_t epoch;                    /* the number that the first barrier's checkpoint has at least */
    bool undo;                         /* keep what is needed to take back the writes of one record */
    bool name_spaces;                  /* a key is followed by a namespace (one msgpack value): its key group is that of the key alone */
    struct backend *backend;
    struct state_output output;
};
/* </cdef> */

/* One table and what its rows look like. */
struct state_column {
    struct row_trail trail;
    struct table table;
    struct row_layout layout;
    bool stored;               /* the store may hold rows of it */
};

struct dirty_list { uint64_t *items; size_t count, capacity, next; };  /* entry pointer, column in the upper 16 bits */

struct undo_record { struct entry *entry; uint32_t column; uint32_t slot; struct cell old; };

/* <cdef> */
struct keyed_state;
/* The epoch that entries are compared with before a plain store; see keyed_state_touch(). */
struct keyed_state_view { uint32_t epoch; uint32_t undo_count; };
struct keyed_state_view *keyed_state_view(struct keyed_state *state);
/* To be called before slot `slot` of a key's entry is stored to, if its dirty_epoch is not the view's epoch. */
void keyed_state_touch(struct keyed_state *state, struct entry *entry);
/* Value state: set a slot to a cell whose bytes count from `bytes`. CELL_ABSENT clears. */
void value_state_set(struct keyed_state *state, struct entry *entry, uint32_t slot, const struct cell *cell, const char *bytes);
/* Forget what keyed_state_undo() would take back: the record is done. */
void keyed_state_commit_record(struct keyed_state *state);
/* Take back all writes since the last commit. */
void keyed_state_undo(struct keyed_state *state);
/* Rows of all states, cached or not: one per value, list element, map entry. A failing store is told by keyed_state_failure(). */
uint64_t keyed_state_rows(struct keyed_state *state);

struct keyed_state *keyed_state_new(const struct keyed_state_config *config);
void keyed_state_free(struct keyed_state *state);

/* Evict while the budget asks for it, the parts too; a bounded amount of work. */
void keyed_state_evict(struct keyed_state *state);
/* The entries of a batch's keys, made where there are none, loaded from the store where it has them. Evicts first. */
int keyed_state_resolve(struct keyed_state *state, const struct batch *batch, struct entry **entries);
/* The same in the middle of a record, whose writes may be taken back: entries stay where they are. */
int keyed_state_resolve_more(struct keyed_state *state, const struct batch *batch, struct entry **entries);

/* End the epoch: what is dirty now belongs to checkpoint `checkpoint`. Sweeps first what an earlier freeze left. */
void keyed_state_freeze(struct keyed_state *state, uint64_t checkpoint);
/* Sweep up to `entries` frozen entries; true when none is left (and all buffers of that epoch have gone to the output). */
bool keyed_state_sweep(struct keyed_state *state, uint32_t entries);
bool keyed_state_swept(const struct keyed_state *state);

/*
 * Begin a new base; step until it answers 1 (done) or a negative code. Into the store, or a dump of the cache into the
 * output: right only where no row has left the cache yet (keyed_state_stored() is false).
 */
void keyed_state_base_begin(struct keyed_state *state, bool into_store);
int keyed_state_base_step(struct keyed_state *state, uint32_t entries);
bool keyed_state_base_running(const struct keyed_state *state);
bool keyed_state_stored(const struct keyed_state *state);

/* Restore: rows of bases and deltas in order, then done. `stored`: the store holds rows already. Rows of other groups or columns are passed over. */
int keyed_state_restore_rows(struct keyed_state *state, struct slice rows);
void keyed_state_restore_begin(struct keyed_state *state, bool stored);
/* Rows of the backend's base (backend.h), if it has one: a backend without a store takes them into the cache. Before all other rows. */
int keyed_state_restore_base(struct keyed_state *state);
/* A hint, after keyed_state_restore_begin(): about this many keys will come. */
void keyed_state_restore_expect(struct keyed_state *state, uint64_t keys);
int keyed_state_restore_done(struct keyed_state *state);

/* The column of its key rows; its key groups. */
uint16_t keyed_state_column(const struct keyed_state *state);
void keyed_state_groups(const struct keyed_state *state, uint16_t *first, uint16_t *last);
/* Bytes of cache that it uses. */
size_t keyed_state_bytes(const struct keyed_state *state);
uint64_t keyed_state_keys(const struct keyed_state *state);

/* The first failure of a background write (eviction); 0 if none. The worker asks after each batch. */
int keyed_state_failure(const struct keyed_state *state);
/* </cdef> */
