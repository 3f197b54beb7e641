/*
 * The keys of a keyed state that have something in one of their states, cached or not,
 * in the order of their bytes: for who visits all of them.
 *
 * Owner    key_list_init() on the caller's memory, key_list_deinit() frees.
 * Errors   0 or a negative code. Thread: the worker.
 */
#pragma once

#include "state/keyed_state.h"

/* Key `i` is bytes [ends[i - 1], ends[i]) of `bytes` until they are sorted; then keys[i]. */
struct key_list {
    struct buffer bytes;
    size_t *ends;
    struct slice *keys;
    uint32_t count, capacity;
};

void key_list_init(struct key_list *list);
void key_list_deinit(struct key_list *list);
/* The keys as they are now, into an empty list. */
int key_list_fill(struct key_list *list, struct keyed_state *state, uint32_t slot);
