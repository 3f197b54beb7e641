/*
 * The floor under every gap: a loop that does nothing but look at the clock, and yet is
 * held up by what else runs, and by the host of a virtual machine. Of the largest gap in
 * each second: the median and the largest one.
 *
 * usage: bench_gaps SECONDS
 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS_MAX 600
#define SECOND_NS 1000000000u

static int compare(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

static uint64_t largest_gap_ns(uint64_t *looks)
{
    uint64_t largest = 0, begin = clock_monotonic_ns(), last = begin;
    while (last - begin < SECOND_NS) {
        uint64_t now = clock_monotonic_ns();
        largest = now - last > largest ? now - last : largest;
        last = now;
        ++*looks;
    }
    return largest;
}

int main(int count, char **arguments)
{
    static uint64_t gaps[SECONDS_MAX];
    uint64_t seconds = count == 2 ? strtoull(arguments[1], NULL, 10) : 0, looks = 0;
    if (seconds == 0 || seconds > SECONDS_MAX) {
        fprintf(stderr, "usage: bench_gaps SECONDS (1 to %d)\n", SECONDS_MAX);
        return 2;
    }
    for (uint64_t i = 0; i < seconds; i++)
        gaps[i] = largest_gap_ns(&looks);
    qsort(gaps, seconds, sizeof gaps[0], compare);
    printf("{\"records\":%" PRIu64 ",\"seconds\":%" PRIu64 ",\"median_ms\":%.3f,\"largest_ms\":%.3f}\n", looks, seconds,
           (double)gaps[seconds / 2] / 1e6, (double)gaps[seconds - 1] / 1e6);
    return 0;
}
