/*
 * The floor under a restore: what it takes to meet so much fresh memory for the
 * first time, on huge pages as the engine's tables lie on. The kernel clears a page
 * then, and on a virtual machine the host may have to find one first, which can take
 * ten times as long: it depends on what the memory was before.
 *
 * usage: bench_touch MEGABYTES
 */
#include "base/clock.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_BYTES 4096

int main(int count, char **arguments)
{
    uint64_t megabytes = count == 2 ? strtoull(arguments[1], NULL, 10) : 0;
    if (megabytes == 0) {
        fprintf(stderr, "usage: bench_touch MEGABYTES\n");
        return 2;
    }
    size_t bytes = (size_t)megabytes << 20;
    uint64_t begin_ns = clock_monotonic_ns();
    volatile char *memory = memory_map(bytes);
    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        memory[at] = 1;
    double seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
    printf("{\"records\":%" PRIu64 ",\"seconds\":%.6f}\n", (uint64_t)(bytes / PAGE_BYTES), seconds);
    return 0;
}
