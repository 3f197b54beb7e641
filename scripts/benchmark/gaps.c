/*
 * The floor under what a checkpoint holds up: how long a plain C loop waits between two of
 * its batches, which never blocks and asks the kernel for nothing but the time. What it
 * waits for is the machine: other processes, the kernel, and the host of a virtual one.
 *
 * usage: bench_gaps SECONDS
 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 1024
#define PLACES (1u << 20)
#define SECOND_NS UINT64_C(1000000000)
#define SECONDS_MAX 3600

static uint32_t places[PLACES];

static void batch(uint64_t *random)
{
    for (int i = 0; i < BATCH; i++) {
        *random = *random * UINT64_C(6364136223846793005) + 1;
        places[*random >> 44]++;
    }
}

/* The longest gap of a second. */
static uint64_t watch(uint64_t *random, uint64_t *batches)
{
    uint64_t begin_ns = clock_monotonic_ns(), last_ns = begin_ns, longest_ns = 0;
    while (last_ns - begin_ns < SECOND_NS) {
        batch(random);
        uint64_t now_ns = clock_monotonic_ns();
        longest_ns = now_ns - last_ns > longest_ns ? now_ns - last_ns : longest_ns;
        last_ns = now_ns;
        ++*batches;
    }
    return longest_ns;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* What so many percent of the seconds stay at or below. */
static double percentile_ms(const uint64_t *sorted, uint64_t count, uint64_t percent)
{
    return (double)sorted[(count * percent + 99) / 100 - 1] / 1e6;
}

int main(int count, char **arguments)
{
    static uint64_t gaps[SECONDS_MAX];
    uint64_t seconds = count == 2 ? strtoull(arguments[1], NULL, 10) : 0;
    if (seconds == 0 || seconds > SECONDS_MAX) {
        fprintf(stderr, "usage: bench_gaps SECONDS (at most %d)\n", SECONDS_MAX);
        return 2;
    }
    uint64_t random = 1, batches = 0;
    watch(&random, &batches); /* its memory is met for the first time */
    batches = 0;
    for (uint64_t i = 0; i < seconds; i++)
        gaps[i] = watch(&random, &batches);
    qsort(gaps, seconds, sizeof gaps[0], compare);
    printf("{\"records\":%" PRIu64 ",\"seconds\":%" PRIu64 ",\"gap_p50_ms\":%.3f,\"gap_p99_ms\":%.3f}\n", batches * BATCH, seconds,
           percentile_ms(gaps, seconds, 50), percentile_ms(gaps, seconds, 99));
    return 0;
}
