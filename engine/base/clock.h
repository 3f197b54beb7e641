/* Time, in units that the name says. A spec that needs another clock passes the time in. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Milliseconds since 1970 UTC. */
static inline int64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Processor time of the whole process, of all threads. */
static inline uint64_t clock_process_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* <cdef> */
uint64_t clock_monotonic_ms(void);
/* clock_monotonic_ns() for Lua, which cannot call what is in line. */
int64_t clock_now_ns(void);
/* Processor time of the calling thread. */
int64_t clock_thread_cpu_ms(void);
/* </cdef> */
