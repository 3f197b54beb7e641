/*
 * Makes memory present before it is used: the kernel clears a new page when it is
 * met first, which for hundreds of megabytes takes as long as filling them. A
 * thread of its own meets them here, in the order given, while its owner works
 * on the first ones. What the memory holds is not changed.
 *
 * Owner    prefault_begin() copies the list; the memory itself stays the caller's,
 *          and must stay until prefault_end().
 * Errors   none: memory that could not be made present is so when it is used.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* <cdef> */
struct memory_block { void *start; size_t bytes; };
struct prefault;

struct prefault *prefault_begin(const struct memory_block *blocks, uint32_t count);
/* Stops behind the block under way, waits for that, and frees. NULL is allowed. */
void prefault_end(struct prefault *prefault);
/* </cdef> */
