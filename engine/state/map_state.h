/*
 * Map state: a head in the key's entry (how many entries), and one entry of a
 * table of its own for each map key. A small map is whole in the cache; of one
 * with evicted entries, what is missing is read from the store.
 *
 * A map key is first written with one of map_key_*(), then used by the call
 * that follows it.
 *
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/keyed_state.h"

/* <cdef> */
int map_key_number(struct keyed_state *state, struct entry *owner, double number);
int map_key_string(struct keyed_state *state, struct entry *owner, const char *text, size_t bytes);
int map_key_cell(struct keyed_state *state, struct entry *owner, const struct cell *cell, const char *bytes);

/* The value's slot in *value (valid until the next call on this state), NULL if the map has no such key. */
int map_state_get(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell **value);
/* `value` is not CELL_ABSENT; its bytes count from `bytes`. */
int map_state_put(struct keyed_state *state, struct entry *owner, uint32_t slot, const struct cell *value, const char *bytes);
int map_state_remove(struct keyed_state *state, struct entry *owner, uint32_t slot);
int map_state_clear(struct keyed_state *state, struct entry *owner, uint32_t slot);
uint32_t map_state_count(const struct entry *owner, uint32_t slot);

/*
 * An iterator goes through the entries as they are at the call of map_state_iterate(), in the
 * order of the canonical bytes of their keys, whatever is done to the map meanwhile (S52). It may
 * begin again at its end, on any map: what it holds grows with the largest. `record` says which callback
 * of the batch this is: an iteration ends with the callback that began it.
 */
struct map_iterator;
struct map_iterator *map_iterator_new(void);
/* The number of iterations over maps of the state that are open now, or a negative code. */
int map_state_iterate(struct keyed_state *state, struct entry *owner, uint32_t slot, int32_t record, struct map_iterator *iterator);
int map_iterations_open(const struct keyed_state *state);
/* Where a callback begins that has the number of the one before it. */
void map_iterations_end(struct keyed_state *state);
/* 1 and the next pair (valid until the next call), 0 at the end, or a negative code: ERROR_ARGUMENT in another callback. Offsets count from *bytes. */
int map_iterator_next(struct map_iterator *iterator, int32_t record, struct cell *key, struct cell *value, const char **bytes);
/* What it holds. */
size_t map_iterator_bytes(const struct map_iterator *iterator);
void map_iterator_free(struct map_iterator *iterator);
/* </cdef> */
