/*
 * Have the processor fetch a line of memory that will soon be needed, so that the waits
 * for several overlap. Any address will do, also one where nothing is.
 *
 * __builtin_prefetch() alone is not enough: GCC counts it as no effect, finds that a
 * function which does nothing else does nothing, and drops the calls of it, without a word
 * (seen with GCC 12 at -O2). An empty asm statement is an effect.
 *
 * Thread   any.
 */
#pragma once

#define CACHE_LINE_BYTES 64

static inline void fetch_line(const void *address)
{
    __builtin_prefetch(address);
    __asm__ volatile("" : : "r"(address));
}

/* The same for memory that is looked at once, by who reads all of it: what others have in the larger caches should stay there. */
static inline void fetch_line_once(const void *address)
{
    __builtin_prefetch(address, 0, 0);
    __asm__ volatile("" : : "r"(address));
}
