/*
 * A thread that writes the rows of a frozen epoch while the worker goes on with the next
 * one: where there is a core that no worker wants.
 *
 * It only reads, and it reads what the worker may be writing to. An entry's stamp (its
 * dirty_epoch) tells whether that mattered: the worker stamps an entry with the running
 * epoch before it stores to it (fence_stamps() between the two), and a frozen stamp never
 * comes back. So the walker copies an entry that bears the frozen stamp and looks at the stamp
 * again: it is still there, and the copy is what was frozen, or the worker has handed the
 * old values over before it took the stamp away. Entries under the frozen stamp are not
 * evicted and not removed, and chunks of a table stay where they are.
 *
 * Only rows of numbers under short keys are written here. Others own memory of their own, which
 * the worker may free at any time: they are listed for it.
 *
 * Owner    walker_new() starts no thread, the first walker_begin() does; walker_free() ends it.
 * Thread   the worker that owns the table calls; one walk at a time.
 */
#pragma once

#include "state/keyed_state.h"

struct walker;

struct walk_order {
    const struct table *table;        /* its chunks as they are now are what is walked */
    const struct row_layout *layout;  /* of rows that may be of numbers; stays until the walk is done */
    struct state_buffer head;         /* what its buffers say about themselves */
};

/* Slots of an entry that a walk can copy. */
#define WALKER_SLOTS_MAX 6

struct walker *walker_new(void);
/* Waits for the walk under way, which ends early. NULL is allowed. */
void walker_free(struct walker *walker);

void walker_begin(struct walker *walker, const struct walk_order *order);
/* Buffers that are full, or all of them once the walk is done: the first of a list, the caller's, or NULL. */
struct state_buffer *walker_take(struct walker *walker);
/* Asked before walker_take(), it tells whether that will be the last. */
bool walker_is_done(struct walker *walker);
void walker_wait(struct walker *walker);
/* Of a walk that is done, in the order of memory: they are valid until the next begins. *rows is how many rows it wrote. */
struct entry *const *walker_left(const struct walker *walker, size_t *count, uint64_t *rows);

/* Between a stamp and what is stored to the entry behind it. */
static inline void fence_stamps(void)
{
#if defined(__x86_64__)
    __asm__ volatile("" ::: "memory"); /* stores are seen in their order */
#elif defined(__aarch64__)
    __asm__ volatile("dmb ishst" ::: "memory");
#else
    __sync_synchronize();
#endif
}
