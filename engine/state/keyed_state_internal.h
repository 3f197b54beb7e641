/*
 * The inside of struct keyed_state, for the files that together are it:
 * keyed_state.c (keys, values, undo), touch.c (dirty marks), epoch.c (sweeps, by a walker of walker.h too, and bases), evict.c (the
 * store below), restore.c, restore_rows.c, restore_numbers.c, map_state.c, map_iterator.c, map_hint.c, list_state.c, window_list.c and
 * parts.c (what is attached).
 * Nobody else includes it.
 *
 * Thread   the worker.
 */
#pragma once

#include "state/keyed_state.h"
#include "state/state_part.h"

/* A map entry's second slot: its neighbours among the cached entries of the same map, where they are no tree (map_tree.h). */
struct map_link { struct entry *next, *previous; };

/* Keys of maps that are about to be looked up: see map_hint.c. */
#define MAP_HINTS_MAX 256
struct map_hint { const struct table *table; uint64_t hash; };
struct map_hints { uint32_t count; struct map_hint items[MAP_HINTS_MAX]; };

/* Are entries of a batch written, so that they may be marked before they are? See touch.c. */
struct touch_ahead {
    uint32_t turn;
    uint32_t clean;                    /* entries of the batch that was looked at */
    uint32_t touched;                  /* of keys, since then */
    bool pays;
    bool few;                          /* nearly all of that batch had been marked: until the next barrier it stays so, or there are fewer */
};

#define STATE_PARTS_MAX 8
struct attached_part { const struct state_part *table; void *self; };

struct keyed_state {
    struct keyed_state_view view;      /* first: Lua holds a pointer to it */
    uint64_t epoch;                    /* the running one; view.epoch is its lower half */
    uint64_t frozen_epoch;             /* the one being swept */
    struct keyed_state_config config;
    struct state_column *columns;      /* [0]: key rows; then one per map or list */
    uint32_t column_count;
    uint32_t child_column[KEYED_STATES_MAX]; /* of a map or list: its column, else 0 */
    struct dirty_list dirty, frozen;
    struct touch_ahead ahead;
    struct state_buffer *dirty_buffer, *frozen_buffer, *dump_buffer;
    struct state_buffer *handed_buffer; /* frozen rows that a write came to before the walk */
    bool frozen_walk;                  /* the frozen entries are found in the tables, their list is empty */
    bool walk_aside;                   /* by the walker */
    bool walk_left_many;               /* it could not write most of the rows */
    struct walker *walker;             /* NULL until it is needed */
    uint32_t walk_column;
    struct table_cursor walk_cursor;
    size_t payload_bytes;              /* heap bytes of slots */
    size_t accounted_bytes;            /* what the backend knows */
    struct undo_record *undo;
    uint32_t undo_capacity;
    bool base_running, base_into_store;
    uint32_t base_column;
    struct table_cursor base_cursor;
    struct store_write *pending;       /* evicted rows on their way to the store */
    uint32_t evict_column;
    uint32_t made;                     /* entries since memory was looked at last */
    bool restore_below;                /* a restore has filled the cache: rows of other keys go to `pending` */
    uint32_t restored;                 /* rows since memory was looked at last */
    struct prefault *prefault;         /* of the tables that a restore fills */
    struct attached_part parts[STATE_PARTS_MAX];
    uint32_t part_count;
    struct keyed_state *attached_to;   /* the one that it is a part of, or NULL */
    int failure;
    int32_t missing[BATCH_RECORDS_MAX];
    struct map_hints hints;
    struct map_iterator *iterations;   /* that are open */
    int iterations_open;
    struct buffer scratch;             /* of one row or composite key */
    struct buffer element, elements;   /* of a list that is appended to: the one at hand, those on their way to the end of it */
};

static inline bool dirty_in_running_epoch(const struct keyed_state *state, const struct entry *entry)
{
    return entry->dirty_epoch == (uint32_t)state->epoch;
}

static inline bool frozen_unswept(const struct keyed_state *state, const struct entry *entry)
{
    return entry->dirty_epoch != 0 && entry->dirty_epoch == (uint32_t)state->frozen_epoch;
}

/* An item of a dirty list: an entry, and above bit 48 its column. */
static inline uint64_t dirty_item(uint32_t column, const struct entry *entry)
{
    return (uint64_t)column << 48 | (uint64_t)(uintptr_t)entry;
}
static inline struct entry *item_entry(uint64_t item)
{
    return (struct entry *)(uintptr_t)(item & 0xffffffffffffu);
}
static inline uint32_t item_column(uint64_t item)
{
    return (uint32_t)(item >> 48);
}

/* Room for so many more items. */
void dirty_list_reserve(struct dirty_list *list, size_t more);

/* Entries of all columns in the cache. */
uint64_t state_entries(const struct keyed_state *state);

/* The functions of keyed_state.h without the parts. */
void state_freeze(struct keyed_state *state, uint64_t checkpoint);
bool state_sweep(struct keyed_state *state, uint32_t entries);
bool state_swept(const struct keyed_state *state);
void state_base_begin(struct keyed_state *state, bool into_store);
int state_base_step(struct keyed_state *state, uint32_t entries);
bool state_stored(const struct keyed_state *state);
void state_restore_begin(struct keyed_state *state, bool stored);
int state_restore_done(struct keyed_state *state);
void state_commit_record(struct keyed_state *state);
void state_undo(struct keyed_state *state);
uint64_t state_rows(struct keyed_state *state);
size_t state_bytes(const struct keyed_state *state);

/* Its column of this id, and the place of that; NULL if it has none. */
struct state_column *state_column_of(struct keyed_state *state, uint16_t id, uint32_t *column);
/* Nothing is set in an entry any more. */
void state_slots_clear(struct keyed_state *state, const struct state_column *home, struct entry *entry);
/* What its row holds was put into an entry of which nothing was set: the memory counts from now on. */
void state_slots_filled(struct keyed_state *state, const struct state_column *home, const struct entry *entry);
/* So many rows have been put into the cache: now and then there has to be room for more. */
void state_restored(struct keyed_state *state, uint32_t rows);
/* Take rows off the front while they are numbers under short keys (restore_numbers.c); 1: some were, 0: none, or negative. */
int state_restore_numbers(struct keyed_state *state, struct slice *rows);
/* One row of a column that it owns. */
bool state_owns(const struct keyed_state *state, uint16_t column);
int state_restore_row(struct keyed_state *state, const struct row *row);
/* A row of a column that it does not own: a part's, or nobody's. */
int state_parts_restore_row(struct keyed_state *state, const struct row *row);
void state_parts_evict(struct keyed_state *state);

/* The key group of an entry's key, whose hash is given: with namespaces it is that of the key alone. */
uint16_t state_group(const struct keyed_state *state, struct slice key, uint64_t hash);

/* Mark an entry of any column as written in this epoch. */
void state_touch(struct keyed_state *state, uint32_t column, struct entry *entry);
/* The entries of a batch's keys were found and will be written, if those of batches before it were. */
void state_touch_ahead(struct keyed_state *state, struct entry **entries, int32_t count);
/* Put a slot (whose payload, if any, becomes the entry's) in place of the old one: marks, undo and memory are kept right. */
void state_slot_set(struct keyed_state *state, uint32_t column, struct entry *entry, uint32_t slot, struct cell value);
/* The payload of the slot that may be overwritten in place, or NULL (undo needs it). */
char *state_slot_reuse(struct keyed_state *state, const struct cell *slot);

/* Add bytes to those that a slot holds. It grows by doubling while it is shorter than a chunk. */
#define LIST_CHUNK_BYTES 1024
void state_slot_append(struct keyed_state *state, uint32_t column, struct entry *entry, uint32_t slot, struct slice more);

/* Free an entry and its payloads. */
void state_drop(struct keyed_state *state, uint32_t column, struct entry *entry);

/* Entry of a row in column, from the cache or the store; NULL if there is none. */
int state_load(struct keyed_state *state, uint32_t column, const char *key, uint32_t key_bytes, uint64_t hash, uint16_t group, struct entry **entry);
/* Load the rows of entries that were just made for keys [missing] of a batch. */
int state_load_batch(struct keyed_state *state, struct entry **entries, const int32_t *missing, int32_t count);

/* What a user would count: of an entry; of all keys that are only in the store. */
uint64_t state_rows_of(const struct keyed_state *state, const struct entry *entry);
uint64_t state_rows_stored(struct keyed_state *state);

/* Tell the backend what this state takes; the answer is how much of it should go. */
size_t state_account(struct keyed_state *state);
/* Write the rows of `pending` to the store. */
int state_pending_apply(struct keyed_state *state);

/* Encode one entry into the base that is being dumped. */
void state_dump_entry(struct keyed_state *state, uint32_t column, struct entry *entry);

/* Encode one entry into the buffer of its epoch. */
void state_sweep_entry(struct keyed_state *state, struct state_buffer **buffer, uint64_t epoch, uint32_t column, struct entry *entry);
/* Frozen entries (one of them may be there twice) are about to be written before the sweep reached them. */
void state_hand_over(struct keyed_state *state, uint32_t column, struct entry **entries, uint32_t count);
void state_flush_buffer(struct keyed_state *state, struct state_buffer **buffer);
/* Sweep `entries` of a dirty list; frees entries whose row is gone. */
void state_sweep_list(struct keyed_state *state, struct dirty_list *list, uint64_t epoch, struct state_buffer **buffer, uint32_t entries);

/* The key of a map comes first in that of its entry: one msgpack value, with a namespace two. */
int map_owner_key(const struct keyed_state *state, const struct entry *child, struct slice *key);
void map_link_child(struct keyed_state *state, struct entry *owner, uint32_t slot, struct entry *child);
/* A child is about to leave the cache: it is taken out of its map, of which there is more in the store from now on. One that is gone is in none. */
void map_unlink_child(struct keyed_state *state, uint32_t column, struct entry *child);
/* The value of a map's entry was put back by undo: what is live is in its map's chain or tree, what is gone is not. */
void map_child_undone(struct keyed_state *state, uint32_t column, struct entry *child);
/* May a key's entry leave the cache? Not while entries of its maps are chained to it. */
bool map_has_children(const struct keyed_state *state, const struct entry *owner);
/* Bring all entries of a map into the cache. */
int map_load_all(struct keyed_state *state, struct entry *owner, uint32_t slot);
/* The map's entry is about to be changed, or was made just now. */
void map_iterations_keep(struct keyed_state *state, const struct entry *owner, uint32_t slot, struct entry *child);
/* The child has come to the map's tree, or left it. */
void map_iterations_lose(struct keyed_state *state, const struct entry *owner, uint32_t slot, const struct entry *child);
/* Entries may go from now on. */

/* A row of list elements: made if there is none and `make`, else NULL. */
int list_chunk_find(struct keyed_state *state, struct entry *owner, uint32_t slot, uint32_t index, bool make, struct entry **chunk);
/* What an element of a list is: one msgpack value, which is read into so many cells. */
#define LIST_CELLS_MAX 3
struct list_form { uint32_t cells; int (*read)(struct slice *in, struct arena *arena, struct cell *element); };
/* All elements of a list as list_state_get() has them, in that form. */
int list_read(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct list_form *form, struct arena *arena, struct cell *list);
/* Append `count` msgpack values, one after the other, which are not in the list's own memory. */
int list_add_encoded(struct keyed_state *state, struct entry *owner, uint32_t slot, struct slice elements, uint32_t count);
/* Append to `elements` those of a list, as they are. */
int list_encoded(struct keyed_state *state, struct entry *owner, uint32_t slot, struct buffer *elements);

/* Does it hold entries of maps? The first column never does: it has keys. */
static inline bool column_is_of_map(const struct state_column *column)
{
    return column->layout.slots == 2 && column->layout.slot[1].kind == KIND_LINK;
}

static inline struct map_link *map_link_of(struct entry *child)
{
    return (struct map_link *)(void *)&child->slots[1];
}
/* The first cached entry of a map's chain, or the root of its tree. All that is in it is live. */
static inline struct entry *map_first(const struct entry *owner, uint32_t slot)
{
    return owner->slots[slot].tag == CELL_ABSENT ? NULL : (struct entry *)(void *)owner->slots[slot].payload;
}
