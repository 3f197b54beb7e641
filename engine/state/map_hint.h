/*
 * Hints: map keys that a batch will be asked for, told before its first record is
 * handled. Their buckets and entries are fetched from memory side by side, where the
 * lookups, one after the other, would each wait for their own.
 *
 * A hint changes nothing but time: it may be wrong, and it may be missing.
 *
 * Thread   the worker.
 */
#pragma once

#include "state/keyed_state.h"

/* <cdef> */
/* Is the map's table so large that its entries are mostly not in the processor's caches? */
bool map_hints_pay(const struct keyed_state *state, uint32_t slot);
/* A key of the map in slot `slot` of a key's entry. What cannot be a key is passed over. */
void map_hint_number(struct keyed_state *state, struct entry *owner, uint32_t slot, double number);
void map_hint_string(struct keyed_state *state, struct entry *owner, uint32_t slot, const char *text, size_t bytes);
/* After the last one. */
void map_hints_end(struct keyed_state *state);
/* </cdef> */
